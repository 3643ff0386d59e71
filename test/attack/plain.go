package main

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unprintable returns where a text holds what a terminal or a browser would act on: control characters of either
// set, and those that turn the direction of writing; in JSON also the characters of markup. It is -1 where it holds
// none.
func unprintable(text []byte, markup bool) int {
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && n == 1, c < ' ' && (c != '\n' || markup), c >= 0x7f && c < 0xa0, unicode.Is(unicode.Bidi_Control, c):
			return i
		case markup && (c == '<' || c == '>'):
			return i
		}
		i += n
	}
	return -1
}

// secret is what nothing may show.
type secret struct {
	name string
	text []byte
	// told says that some answers have to show it: a link, a token's bearer.
	told bool
}

// keep remembers a secret, to be looked for in whatever the services say.
func (w *world) keep(name, text string, told bool) {
	if len(text) < 8 {
		panic("a secret of a few characters would be found anywhere: " + name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = append(w.secrets, secret{name, []byte(text), told})
}

// leaks names the secrets that a text holds. Errors must hold none, other answers those alone that they are there to tell.
func (w *world) leaks(text []byte, isError bool) (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.secrets {
		if (isError || !s.told) && bytes.Contains(text, s.text) {
			names = append(names, s.name)
		}
	}
	return names
}

// hostile are texts that something acts on where they are shown as they are.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	"\x1b[2J\x1b]0;owned\x07",
	"\u009b2J\u009d0;owned\u009c",
	"\u202egnp.exe\u202c\u2066x\u2069",
	"a\r\nSet-Cookie: x=1\r\n\r\nHTTP/1.1 200 OK",
	"a\x00b",
	"\x7f\b\b\b",
	"${jndi:ldap://127.0.0.1/x}",
	"=cmd|'/c calc'!A1",
	"%0d%0aX: y",
	"'; DROP TABLE operations; --",
	strings.Repeat("A", 5000),
}
