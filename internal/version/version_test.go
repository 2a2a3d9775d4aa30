package version

import (
	"runtime/debug"
	"testing"
)

func TestVersion_NamesTheCommit(t *testing.T) {
	t.Parallel()
	const hash = "f0809c2aa13b00000000000000000000000000ff"
	for _, test := range []struct{ revision, time, modified, want string }{
		{"", "", "", Devel},
		{hash, "2026-11-22T09:13:00Z", "false", "20261122-f0809c2aa13b"},
		{hash, "2026-11-22T09:13:00Z", "true", "20261122-f0809c2aa13b-dirty"},
		{hash, "", "", "f0809c2aa13b"},
		{"f08", "2026-11-22T09:13:00Z", "", Devel},
	} {
		got := of(&debug.BuildInfo{Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: test.revision}, {Key: "vcs.time", Value: test.time}, {Key: "vcs.modified", Value: test.modified},
		}})
		if got != test.want {
			t.Errorf("revision %q of %q, modified %q: %q, want %q", test.revision, test.time, test.modified, got, test.want)
		}
	}
	if String() == "" {
		t.Error("this build has no name")
	}
}
