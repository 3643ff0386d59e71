// Package version says which build of a program this is, as the Go toolchain has written it into the program: nothing is kept by
// hand. It knows nothing of what the program does.
package version

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
)

// Text is the version of the module, with the commit where the program was built in a checkout: "v1.2.0", or
// "v0.0.0-20300102030405-0123456789ab+dirty", where +dirty says that files were changed; "(devel)" where nothing is known of it.
func Text() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	return text(info)
}

func text(info *debug.BuildInfo) string {
	version, revision, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	const shown = 12 // of a commit, as Go's own versions have it
	switch short := revision[:min(shown, len(revision))]; {
	case version != "" && version != "(devel)" && (short == "" || strings.Contains(version, short)):
		return version
	case version != "" && version != "(devel)":
		return version + " (" + short + dirty + ")"
	case short != "":
		return short + dirty
	}
	return "(devel)"
}

// Print writes the line that --version shows.
func Print(w io.Writer, program string) error {
	_, err := fmt.Fprintf(w, "%s %s, %s, %s/%s\n", program, Text(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
