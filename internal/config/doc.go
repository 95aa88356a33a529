// Package config turns what the operator wrote into one checked Config.
//
// The journey of a setting: every option is declared once, as an [Option] in
// a [Table]: its name, default, help and a [Value] that parses, prints and
// checks it. From the name follow the flag (-transport.file.sep), the
// environment variable (WEIR_TRANSPORT_FILE_SEP) and the key of the YAML file
// (transport.file.sep). [Table.Load] lays four layers over each other,
//
//	default < file (-config weir.yaml) < environment < flag
//
// and the last one that names an option wins. Every layer is checked, also
// where a later one overrides it, and every fault of all layers comes back at
// once in a [UsageError], each with its place, the value and what is allowed.
// [Parse] (weir) and [ParseDecode] (weir decode) are the two tables in use.
//
// # Flags
//
// One or two dashes, -name value or -name=value, as the flag package of the
// standard library has it; of a flag given twice the last one counts. Where a
// command takes files, flags may stand before or after them, and "--" ends
// the flags. Names of goflow2 and its older releases are mapped, accepted
// without effect, or refused with a sentence that says what to write instead;
// none is ignored silently.
//
// # Environment
//
// WEIR_ and the name in upper case, with '.' and '-' as '_'. A variable that
// is set and empty is a value: WEIR_ADDR= switches the web server off.
// Unknown WEIR_ variables are reported as warnings. Those that Kubernetes
// makes for a service called weir (WEIR_PORT..., WEIR_SERVICE_...) are not
// looked at.
//
// # YAML
//
// Keys are dotted, nested or mixed; these three say the same:
//
//	transport.file.sep: ""
//
//	transport.file:
//	  sep: ""
//
//	transport:
//	  file:
//	    sep: ""
//
// Two options are also the beginning of other names, transport and
// transport.file. Where such a name holds a mapping, the option itself is
// written with an inner key: type for transport, path for transport.file.
//
//	transport:
//	  type: file
//	  file:
//	    path: /var/log/weir/flows.json
//	    sep: ""
//
// listen and cpu.pin may be sequences. An option that appears twice, whatever
// the spelling, is refused, as are unknown keys, values of another type, keys
// without a value, anchors and aliases, and a second document. A section (a
// name that is no option, such as batch) may be empty.
package config
