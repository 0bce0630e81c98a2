"""Reading production: DuckDB and PostgreSQL."""
