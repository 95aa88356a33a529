// Package option declares what a setting of weir is: an [Option] with its name, default and
// help, and a [Value] that parses, prints and checks the variable that holds it. Package
// config reads options from flags, environment and YAML. Outputs declare their own options.
package option
