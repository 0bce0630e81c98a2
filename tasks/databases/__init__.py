"""Loading snapshots into test databases: PostgreSQL, MySQL and MariaDB, SQLite, DuckDB."""
