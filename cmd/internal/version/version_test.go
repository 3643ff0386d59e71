package version

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, tc := range []struct {
		version, revision, modified, want string
	}{
		{"(devel)", "", "", "(devel)"},
		{"", "", "", "(devel)"},
		{"(devel)", commit, "false", "0123456789ab"},
		{"(devel)", commit, "true", "0123456789ab+dirty"},
		{"v1.2.0", "", "", "v1.2.0"},
		{"v1.2.0", commit, "true", "v1.2.0 (0123456789ab+dirty)"},
		{"v0.0.0-20300102030405-0123456789ab+dirty", commit, "true", "v0.0.0-20300102030405-0123456789ab+dirty"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: tc.version}}
		if tc.revision != "" {
			info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: tc.revision}, {Key: "vcs.modified", Value: tc.modified}}
		}
		if got := text(info); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	if err := Print(&b, "issuer"); err != nil {
		t.Fatal(err)
	}
	if line := b.String(); !strings.HasPrefix(line, "issuer ") || !strings.Contains(line, Text()) || !strings.HasSuffix(line, runtime.GOOS+"/"+runtime.GOARCH+"\n") {
		t.Errorf("%q", line)
	}
}
