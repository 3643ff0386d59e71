// Package config reads the settings of a program: command-line flags, environment, a .env file and defaults, in that
// order. A setting has one name: HTTP_LISTEN in the environment and in .env is --http-listen on the command line.
//
// A program declares its settings once, as a table of [Setting]; flags, environment, file, help text and .env.example
// all come from that table. Reading never stops at the first fault: all of them are told in one [Faults].
//
// The package keeps secrets out of the way: a secret setting has no flag, because other users of the machine can see
// command lines; no fault repeats a value; and a .env line that cannot be read is told by number, not by content.
//
// It holds no state besides what [Read] returns, and it is the only place that touches viper.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Setting is one thing that a user can set.
type Setting struct {
	// Key is the name in the environment and in .env.
	Key string
	// Default is its value where nobody sets it, as text.
	Default string
	// Usage says what it is, in what unit and form, for the help text and for .env.example.
	Usage string
	// Secret settings have no flag and are never shown.
	Secret bool
}

// Flag returns the setting's name on the command line, without dashes.
func (s Setting) Flag() string { return strings.ReplaceAll(strings.ToLower(s.Key), "_", "-") }

// Faults are all that is wrong with what a user asked for, each a sentence that names the setting or flag.
type Faults []string

func (f Faults) Error() string {
	if len(f) == 1 {
		return f[0]
	}
	return fmt.Sprintf("%d things are wrong:\n  - %s", len(f), strings.Join(f, "\n  - "))
}

// Values are the settings as read. Its methods turn them into what a program works with; what they find wrong is kept,
// and [Values.Err] tells all of it.
type Values struct {
	settings []Setting
	v        *viper.Viper
	dotenv   string // the file's path; empty where there is none, or it cannot be read
	faults   Faults
}

// Read reads settings, with flags of the program's own in flags (each setting's flag is added to it). dotenv is the
// path of a .env file; it need not exist. Where args ask for help the error is [pflag.ErrHelp], and nothing was printed.
func Read(flags *pflag.FlagSet, settings []Setting, args []string, dotenv string) (*Values, error) {
	c := &Values{settings: settings, v: viper.New()}
	c.v.AllowEmptyEnv(true)
	for _, s := range settings {
		c.v.SetDefault(s.Key, s.Default)
		if err := c.v.BindEnv(s.Key, s.Key); err != nil {
			return nil, fmt.Errorf("setting %s: %w", s.Key, err)
		}
		if s.Secret {
			continue
		}
		flags.String(s.Flag(), s.Default, s.Usage+" ("+s.Key+")")
		if err := c.v.BindPFlag(s.Key, flags.Lookup(s.Flag())); err != nil {
			return nil, fmt.Errorf("setting %s: %w", s.Key, err)
		}
	}
	flags.SortFlags = false
	flags.Usage = func() {}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil, err
		}
		c.faults = append(c.faults, flagFault(err))
	}
	c.readDotenv(dotenv)
	return c, nil
}

// flagFault tells a fault in the flags without repeating what may be a seed in a wrong place: -sEd… reads as a flag too.
func flagFault(err error) string {
	var unknown *pflag.NotExistError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown):
		if name := unknown.GetSpecifiedName(); len(name) > 1 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") == "" {
			return "unknown flag: --" + name
		}
		return "unknown flag; --help shows all of them"
	case errors.As(err, &syntax):
		return "bad flag syntax; --help shows how they are written"
	}
	return err.Error()
}

func (c *Values) readDotenv(path string) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	c.v.SetConfigFile(path)
	c.v.SetConfigType("env")
	raw, err := os.ReadFile(path)
	if err == nil {
		err = c.v.ReadConfig(strings.NewReader(Text(raw)))
	}
	var cause *fs.PathError
	switch {
	case errors.As(err, &cause):
		c.faults = append(c.faults, fmt.Sprintf("%s cannot be read: %v", path, cause.Err))
	case err != nil:
		// The reader's own error repeats the line, which may hold a seed.
		c.faults = append(c.faults, fmt.Sprintf("%s: each line must be KEY=value, or empty, or a comment that begins with #%s", path, badLine(path)))
	default:
		c.dotenv = path
	}
}

// badLine says which line of a .env file is at fault, where a plain look can tell.
func badLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for i, line := range strings.Split(Text(text), "\n") {
		line = strings.TrimSpace(line)
		if line != "" && line[0] != '#' && !strings.ContainsAny(line, "=:") {
			return fmt.Sprintf("; line %d is not", i+1)
		}
	}
	return ""
}

// Fault notes that a setting is wrong. The rest reads on from its name: "must be …".
func (c *Values) Fault(key, rest string) { c.faults = append(c.faults, key+" "+rest) }

// Wrong notes a fault that is not about one setting.
func (c *Values) Wrong(sentence string) { c.faults = append(c.faults, sentence) }

// Err returns all faults found so far as one [Faults], or nil. Misspelled settings are told among them: they are often why
// something is missing.
func (c *Values) Err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return append(slices.Clone(c.faults), c.misspelled()...)
}

// String returns a setting as text, without surrounding space.
func (c *Values) String(key string) string {
	if !slices.ContainsFunc(c.settings, func(s Setting) bool { return s.Key == key }) {
		panic("config: no setting is called " + key) // a typing error in the program; its tests meet it
	}
	return strings.TrimSpace(c.v.GetString(key))
}

// OneOf returns a setting that must be one of the given words, in any case.
func (c *Values) OneOf(key string, words ...string) string {
	value := strings.ToLower(c.String(key))
	if !slices.Contains(words, value) {
		c.Fault(key, "must be one of "+strings.Join(words, ", "))
	}
	return value
}

// Duration returns a setting such as 1s or 250ms, between least and most.
func (c *Values) Duration(key string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(c.String(key))
	if err != nil || d < least || d > most {
		example := "1s or 250ms"
		switch {
		case least >= time.Minute:
			example = "10m or 24h"
		case least >= time.Second:
			example = "30s or 10m"
		}
		c.Fault(key, fmt.Sprintf("must be a time with its unit (ms, s, m or h), such as %s, from %s to %s", example, shownDuration(least), shownDuration(most)))
	}
	return d
}

// shownDuration writes a time without the parts that are zero: 10m, and not 10m0s.
func shownDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Int returns a setting that must be a whole number between least and most.
func (c *Values) Int(key string, least, most int64) int64 {
	n, err := strconv.ParseInt(c.String(key), 10, 64)
	if err != nil || n < least || n > most {
		c.Fault(key, fmt.Sprintf("must be a whole number from %d to %d", least, most))
	}
	return n
}

// HostPort returns a setting such as 127.0.0.1:8080. The port may be 0, for one that the system picks.
func (c *Values) HostPort(key string) string {
	value := c.String(key)
	_, port, err := net.SplitHostPort(value)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || strconv.FormatUint(n, 10) != port {
		c.Fault(key, "must be an address and a port, such as 127.0.0.1:8080")
	}
	return value
}
