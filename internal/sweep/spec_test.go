package sweep

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseSpec(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		raw  string
		want Spec
	}{
		{`{}`, Spec{}},
		{`{"types":["Public","Work","Private"]}`, Spec{Types: []string{"Private", "Public"}}},
		{`{"include":["a*"],"exclude":["*z"],"min_new":3,"max_age":"90m","takeover":true}`, Spec{Include: []string{"a*"}, Exclude: []string{"*z"}, MinNew: 3, MaxAge: Duration(90 * time.Minute), Takeover: true}},
		{`{"max_age":"2d"}`, Spec{MaxAge: Duration(48 * time.Hour)}},
	} {
		got, err := ParseSpec([]byte(tc.raw))
		if err != nil {
			t.Errorf("%s: %v", tc.raw, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.raw, diff)
		}
		raw, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSpec(raw)
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("%s is not read back: %v\n%s", raw, err, diff)
		}
	}
	for _, raw := range []string{
		`{"exlude":["x"]}`, `{"types":["Publik"]}`, `{"min_new":-1}`, `{"max_age":"soon"}`, `{"max_age":6}`, `{"max_age":"-1h"}`, `[]`, `{`, `{"types":"Public"}`,
	} {
		if _, err := ParseSpec([]byte(raw)); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: %v, want ErrSpec", raw, err)
		}
	}
}

func TestGlobsChooseGroups(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, id string
		want        bool
	}{
		{"*", "", true},
		{"*", "@TGS#a/b", true},
		{"@TGS#*", "@TGS#1", true},
		{"@TGS#*", "TGS#1", false},
		{"*test*", "a-test-group", true},
		{"*test*", "tes", false},
		{"?b", "ab", true},
		{"?b", "b", false},
		{"a*b*c", "a1b2b3c", true},
		{"a*b*c", "a1b2b3", false},
		{"[a]", "a", false},
		{"", "a", false},
	} {
		if got := glob(tc.pattern, tc.id); got != tc.want {
			t.Errorf("glob(%q, %q) = %v", tc.pattern, tc.id, got)
		}
	}
	s := Spec{Include: []string{"a*", "b*"}, Exclude: []string{"*x"}}
	for id, want := range map[string]bool{"a1": true, "b1": true, "c1": false, "ax": false} {
		if s.wants(id) != want {
			t.Errorf("wants(%q) = %v", id, !want)
		}
	}
}
