#!/bin/sh
# Prefect's workers start `prefect flow-run execute` in this image; people start our own commands.
case "$1" in
  prefect | python | sh) exec "$@" ;;
  *) exec prefect-synth "$@" ;;
esac
