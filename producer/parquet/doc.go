// Package parquet writes flows as Parquet files, from their columns.
//
// A file has a column for each field of the schema, by its name: numbers as unsigned integers
// of 32 or 64 bits, times as timestamps in ns of UTC, addresses as 4 or 16 bytes, texts as
// strings, lists as lists. Fields whose 0 is a value are optional, all others required: 0, or
// empty, where a flow has none.
//
// A batch becomes a row group. Of a column with few values these are written once, as a
// dictionary, and rows have their numbers. Others are written as they are, or as differences,
// and only these are compressed: numbers of a dictionary hardly become smaller. Columns that
// readers select by have statistics, for the row group and for each page of it.
package parquet
