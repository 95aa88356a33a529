// Package lint holds the rules of the house as tests: which folder may import
// what, where unsafe code may stand, how long a file and how large a package may be,
// and that each package says what it is for.
package lint
