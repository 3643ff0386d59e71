// Package readme holds the test that keeps README.md from naming what is not there, and from leaving out what is. It has
// no code.
package readme
