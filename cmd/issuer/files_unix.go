//go:build unix

package main

import (
	"syscall"

	"github.com/xrplissuer/credential-issuer/issuer/httpapi"
)

// ownFiles are those that are kept free for the journal, the node and the log.
const ownFiles = 128

// mostConnections is how many connections the files that this process may have open suffice for. Go raises that to what the
// system allows at most.
func mostConnections() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return httpapi.DefaultConnections
	}
	most := uint64(files.Cur)
	return int(min(max(most, 2*ownFiles)-ownFiles, httpapi.DefaultConnections))
}
