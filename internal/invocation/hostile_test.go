package invocation_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
)

// hostileIDs are group ids as an attacker would choose them who may name groups.
func hostileIDs() []string {
	return []string{
		"../../../etc/passwd", "..", ".", "/", "//", "a/b", `a\b`, "a/../b", "%2e%2e%2f", "%00", "a?b=c", "a#b", "a&b=c", "~", "*", "?",
		"genesis.json", "state.json", "-", "tid=-", "gid=a", "sweep", "../state/sweep/x", "../../tenant-b/data", "COM0", "NUL",
		`"}],"x":{"`, `'; DROP TABLE`, "${jndi:ldap://x}", "{{.}}", "<script>alert(1)</script>", "$(reboot)", "猫", "a\u202eb", "a\u2028b", "\ufeff",
		"A", strings.Repeat("x", 128), strings.Repeat("/", 128), strings.Repeat("猫", 42),
		"a\nb", "\x1b[31mred", "a\rb", "a\x00b", "\x7f", "a\u0085b", "a\u009bb", strings.Repeat("x", 129), strings.Repeat("../", 3500), strings.Repeat("y", 10<<10),
	}
}

var streamKey = regexp.MustCompile(`^tenant-a/(data|manifest|state)/gid=((?:[A-Za-z0-9_-]|\.[0-9a-f]{2})+)/tid=-/(?:[0-9]{10}\.ndjson\.gz|[0-9]{10}\.json|genesis\.json|state\.json)$`)

// Whatever a group is called, everything written for it lies below its own prefix, and what it is called cannot forge a
// line of the log.
func TestHostileID_CannotLeaveItsPrefixOrForgeALogLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{Env: map[string]string{"COS_PREFIX": "tenant-a", "LOG_LEVEL": "debug"}})
		s.COS.ResetCounts()
		mine := map[string]string{} // escaped id to id
		rejected := 0
		for n, id := range hostileIDs() {
			stream := chat.Stream{GroupID: id}
			known := s.Chat.AddGroup(chatemu.Group{ID: id}) == nil
			if known {
				must(t, s.Chat.Generate(stream, 25, plain))
			}
			before := len(s.COS.Log())
			body, err := json.Marshal(map[string]string{"group_id": id})
			must(t, err)
			out, failure := s.deliver(cloudemu.Delivery{RequestID: fmt.Sprintf("../request/../%d", n), Payload: body, Attempt: 1})
			printableOnly(t, id, out+fmt.Sprint(failure))
			for _, r := range s.COS.Log()[before:] {
				switch parts := streamKey.FindStringSubmatch(r.Key); {
				case parts != nil:
					if other, ok := mine[parts[2]]; ok && other != id {
						t.Errorf("%q and %q share the key %s", id, other, r.Key)
					}
					mine[parts[2]] = id
				case r.Op == cosemu.OpPut && strings.HasPrefix(r.Key, "tenant-a/rejected/") && strings.Count(r.Key, "/") == 3 && !strings.Contains(r.Key, ".."):
					rejected++
				case r.Key != "":
					t.Errorf("%q: %s of %q", id, r.Op, r.Key)
				}
			}
			if refused := strings.ContainsFunc(id, unicode.IsControl) || len(id) > 128; refused != strings.Contains(out, `"rejected":1`) {
				t.Errorf("%.40q: %s, %v", id, out, failure)
			}
			if known && len(id) <= 128 && !strings.ContainsFunc(id, unicode.IsControl) {
				if err := s.sound(stream); err != nil {
					t.Errorf("%q: %v", id, err)
				}
			}
		}
		t.Logf("%d ids: %d exported or looked for, %d rejected", len(hostileIDs()), len(mine), rejected)
		if len(mine) < 30 || rejected < 8 {
			t.Errorf("%d ids have objects, %d were rejected", len(mine), rejected)
		}
		for line := range strings.Lines(s.Logs.String()) {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) != nil || fields["level"] == nil || fields["time"] == nil {
				t.Errorf("not a line of the log: %q", line)
			}
			printableOnly(t, "the log", strings.TrimSuffix(line, "\n"))
		}
	})
}

// printableOnly proves that a text cannot begin a new line or steer a terminal.
func printableOnly(t *testing.T, of, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		t.Errorf("%.40q: a control character in %.300q", of, text[max(0, i-50):])
	}
}

// What a service answers is no more trusted than an id: it cannot forge a line of the log or of the error either.
func TestHostileAnswer_CannotForgeALogLine(t *testing.T) {
	t.Parallel()
	const evil = "ok\n{\"level\":\"info\",\"message\":\"batch\",\"outcome\":\"complete\"}\r\n\x1b[2J\u009b31m"
	for name, fault := range map[string]func(*site){
		"Chat": func(s *site) {
			s.Chat.SetFault(chatemu.FaultFirst(100, chatemu.Fault{ErrorCode: 60010, ErrorInfo: evil}))
		},
		"COS": func(s *site) {
			s.COS.SetFault(func(*cosemu.Request) *cosemu.Fault {
				return &cosemu.Fault{Status: 403, Code: "AccessDenied", Message: evil}
			})
		},
		"COS code": func(s *site) {
			s.COS.SetFault(func(*cosemu.Request) *cosemu.Fault { return &cosemu.Fault{Status: 400, Code: evil, Message: evil} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{})
				stream := s.Group("@TGS#1", 25)
				fault(s)
				_, err := s.once(stream)
				if err == nil {
					t.Fatal("no error")
				}
				printableOnly(t, "the error", err.Error())
				for line := range strings.Lines(s.Logs.String()) {
					printableOnly(t, "the log", strings.TrimSuffix(line, "\n"))
				}
				if slices.ContainsFunc(s.Logs.Batches(), func(b map[string]any) bool { return b["outcome"] == "complete" }) {
					t.Error("the answer forged a line of the log")
				}
			})
		})
	}
}
