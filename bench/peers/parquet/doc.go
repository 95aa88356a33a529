// Package parquet has parquet-go read the Parquet files that weir writes, in a test: the
// library is no dependency of weir.
package parquet
