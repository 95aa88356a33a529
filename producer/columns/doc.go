// Package columns holds flows by column: for each field of the schema the values of many
// flows, one after the other.
//
// A [Batch] is filled in two ways. A data set whose records all have one length is read
// column by column by a [Plan], straight from its bytes: [Batch.Fill]. All other flows are
// set field by field: [Batch.SetNumber] and its like. In both ways the values are those of
// the rows that follow the last [Batch.Commit], which ends them.
//
// What is the same for many rows is one value and a count ([Run]), and what no row has
// costs nothing: a column that is not set is zero, or empty, for those rows.
//
// Readers of a batch, such as the encoder of Parquet files or a filter, take a [Column] and
// look at its [Form]: numbers have the narrowest width in which all values of the column
// fit.
package columns
