package config

import (
	"fmt"
	"slices"
	"strings"
)

// Asks reads the first word of a command line for what every program is asked: help and version. rest is the command line as
// it goes on, with help put where each command looks for it.
func Asks(args []string) (version bool, rest []string) {
	if len(args) == 0 {
		return false, args
	}
	switch args[0] {
	case "version", "--version":
		return true, args[1:]
	case "help":
		return false, append(slices.Clone(args[1:]), "--help")
	}
	return false, args
}

// NoCommand says what is wrong with words where a program takes none but its commands. It repeats none of them: one might be a
// seed, or a word of one.
func NoCommand(program string, words, commands []string) string {
	commands = slices.Sorted(slices.Values(commands))
	known := strings.Join(commands, ", ")
	for _, c := range commands {
		if slices.Contains(words, c) {
			return fmt.Sprintf("%s must be the first word: %s %[1]s …; %s %[1]s --help shows how it is used", c, program, program)
		}
	}
	for _, c := range commands {
		if Distance(words[0], c) <= closeBy {
			return fmt.Sprintf("there is no such command: is %s meant? There are %s; --help shows them", c, known)
		}
	}
	return fmt.Sprintf("there is no such command: there are %s, and all else is said with flags; --help shows them", known)
}
