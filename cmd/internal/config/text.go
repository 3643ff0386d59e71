package config

import (
	"encoding/binary"
	"unicode/utf16"
)

// Text decodes a text file as editors and shells of various systems write it: UTF-8 with or without a byte order mark, UTF-16 with
// one, and UTF-16 without one if the text is ASCII, as settings and secrets are. Other bytes are returned unchanged.
func Text(raw []byte) string {
	if len(raw) >= 3 && string(raw[:3]) == "\xef\xbb\xbf" {
		return string(raw[3:])
	}
	if order := wide(raw); order != nil {
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = order.Uint16(raw[2*i:])
		}
		if units[0] == 0xFEFF {
			units = units[1:]
		}
		return string(utf16.Decode(units))
	}
	return string(raw)
}

// wide is the byte order of UTF-16; nil for any other text.
func wide(raw []byte) binary.ByteOrder {
	if len(raw) < 2 || len(raw)%2 != 0 {
		return nil
	}
	switch {
	case raw[0] == 0xFF && raw[1] == 0xFE, ascii(raw, 0):
		return binary.LittleEndian
	case raw[0] == 0xFE && raw[1] == 0xFF, ascii(raw, 1):
		return binary.BigEndian
	}
	return nil
}

// ascii reports whether each pair of bytes is an ASCII character at one place and zero at the other.
func ascii(raw []byte, at int) bool {
	for i := 0; i < len(raw); i += 2 {
		if c := raw[i+at]; c == 0 || c >= 0x80 || raw[i+1-at] != 0 {
			return false
		}
	}
	return true
}
