// Package manual writes manual pages and shell completions from the table of options.
//
// A Program has all that both need: its commands, its options, exit codes, files and signals.
// Man writes its page in man(7), FilePage that of its configuration file, and Completion the
// completions of bash, zsh and fish. The command in generate/ writes them to a folder, for
// packages and make install.
package manual

import "github.com/weirflow/weir/internal/config"

// A Program is what a manual page describes.
type Program struct {
	Name, Title string
	Table       *config.Table
	Commands    []Command
	Exits       []Exit
	Files       []File
	Signals     []Signal
	See         []string
}

// A Command is a subcommand. Several may have one name.
type Command struct {
	Name, Args, Does string
	// Table has the command's options, where they are not those of the program.
	Table *config.Table
}

// An Exit is an exit code.
type Exit struct {
	Code  int
	Means string
}

// A File is a file that the program uses.
type File struct{ Path, Does string }

// A Signal is what the program does at a signal.
type Signal struct{ Name, Does string }
