//go:build unix

package config

import (
	"io/fs"
	"os"
	"syscall"
)

// handedOver says whether a file is root's while this program runs as somebody else.
func handedOver(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && os.Geteuid() != 0
}
