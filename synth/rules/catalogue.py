"""Every kind of rule, so that a model on disk may name any of them."""

from __future__ import annotations

from prefect_synth.synth.rules.calendar import Composed, DayOfMonth, Part
from prefect_synth.synth.rules.check_digits import CheckDigit
from prefect_synth.synth.rules.clock import Clock, ClockSum
from prefect_synth.synth.rules.formulas import Product, Sum
from prefect_synth.synth.rules.groups import OneHot
from prefect_synth.synth.rules.increasing import Increasing
from prefect_synth.synth.rules.lookup import Lookup
from prefect_synth.synth.rules.order import Above, Between
from prefect_synth.synth.rules.outside import Outside
from prefect_synth.synth.rules.single import Constant, Copied, NullWith, Range, Step

KINDS = (
    Above, Between, CheckDigit, Clock, ClockSum, Composed, Constant, Copied, DayOfMonth, Increasing,
    Lookup, NullWith, OneHot, Outside, Part, Product, Range, Step, Sum,
)  # fmt: skip
