// Package arrows holds the test of the import rules in .depguard.yml: that every arrow of the house is allowed, that
// every other one is caught, and that the command that `make arrows` runs reads the rules and fails. It has no code.
package arrows
