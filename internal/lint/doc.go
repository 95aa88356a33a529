// Package lint holds the rules of the house as tests: which folder may import
// what, where unsafe code may stand, and how long a file may be.
package lint
