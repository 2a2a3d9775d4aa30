package sweep

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/export"
)

func TestRights_ALaneThatIsRefusedEveryStreamNamesTheLikelyCause(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		groups int
		code   func(n string) string
		want   int
	}{
		{"no rights", 5, func(string) string { return "10007" }, 1},
		{"no rights, the other code", 5, func(string) string { return "10004" }, 1},
		{"another code", 5, func(string) string { return "11000" }, 0},
		{"one has rights", 5, func(id string) string {
			if id == "g3" {
				return ""
			}
			return "10007"
		}, 0},
		{"one group", 1, func(string) string { return "10007" }, 0},
	} {
		inScene(t, func(s *scene) {
			for n := range tc.groups {
				s.groups = append(s.groups, chat.Facts{Stream: chat.Stream{GroupID: fmt.Sprint("g", n)}, Type: "Public", CreateTime: 1, LastTime: 5, NextSeq: 10})
			}
			s.engine = func(req export.Request) (export.Result, error) {
				if code := tc.code(req.Stream.GroupID); code != "" {
					return export.Result{Outcome: archive.StatusUnsupported, Code: code}, nil
				}
				return export.Result{Outcome: export.Complete, Frontier: 10}, nil
			}
			s.planned()
			s.batch(time.Minute)
			if n := strings.Count(s.logs.String(), "CHAT_ADMIN has lost its rights"); n != tc.want {
				t.Errorf("%s: %d warnings; log: %s", tc.name, n, s.logs.String())
			}
		})
	}
}
