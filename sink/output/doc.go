// Package output says what weir has to know about an output: the contract between the program
// and the packages that write somewhere.
//
// A [Kind] is one row of the registry (package outputs): a name for -transport, one sentence
// of help, the metrics, and [Settings] with the options. From the row follow the flags,
// environment variables, keys of the YAML file, help, weir check, the memory that weir
// reports, and the metrics. Settings.Open returns an [Output]: a synchronous or an
// asynchronous sink and what the output loop needs in addition to it.
//
// A new output is one package with these and one row in the registry.
package output
