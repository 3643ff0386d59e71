//go:build !unix

package config

import "io/fs"

// handedOver says whether a file is root's while this program runs as somebody else: there is no such user here.
func handedOver(fs.FileInfo) bool { return false }
