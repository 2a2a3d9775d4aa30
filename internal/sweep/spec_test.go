package sweep

import (
	"encoding/json"
	"errors"
	"strings"
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
		{`{"include":["a*"],"exclude":["*z"],"min_new":3,"max_age":"90m"}`, Spec{Include: []string{"a*"}, Exclude: []string{"*z"}, MinNew: 3, MaxAge: Duration(90 * time.Minute)}},
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

func TestParseSpec_RepeatsNothingButNames(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{"exlude":["hunter2"]}`:            `unknown member "exlude"`,
		`{"Types":["hunter2"]}`:             "not like one",
		`{"my key is hunter2":1}`:           "not like one",
		`{"\u001b[2Jhunter2":1}`:            "not like one",
		`{"min_new":"hunter2"}`:             "min_new is not of type int64",
		`{"min_new":20261122.5}`:            "min_new is not of type int64",
		`{"types":"hunter2"}`:               "types is not of type []string",
		`{"types":["hunter2"]}`:             "types[0] is no type",
		`{"max_age":"hunter2"}`:             "max_age is not a duration",
		`{"include":[{"hunter2":1}]}`:       "include is not of type string",
		`{"max_age":{"hunter2":"hunter2"}}`: "max_age is not a text",
	} {
		_, err := ParseSpec([]byte(raw))
		if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "2026") {
			t.Errorf("%s: %v, want %q", raw, err, want)
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

func TestSpec_CoversWhatItExportsAtOnce(t *testing.T) {
	t.Parallel()
	some := Spec{Types: []string{"Private", "Public"}, Include: []string{"a*", "b?"}, Exclude: []string{"*x", "b1"}}
	for n, tc := range []struct {
		sweep, other Spec
		want         bool
	}{
		{Spec{}, Spec{}, true},
		{Spec{}, some, true},
		{some, Spec{}, false},
		{some, some, true},
		{Spec{Types: some.Types}, Spec{Types: []string{"Public"}}, true},
		{Spec{Types: []string{"Public"}}, Spec{Types: some.Types}, false},
		{Spec{Include: []string{"a*"}}, Spec{Include: []string{"a1", "ab*"}}, true},
		{Spec{Include: []string{"a*"}}, Spec{Include: []string{"a1", "b"}}, false},
		{Spec{Include: []string{"a?"}}, Spec{Include: []string{"a?"}}, true},
		{Spec{Include: []string{"a?"}}, Spec{Include: []string{"a*"}}, false}, // ? is one byte, * may be many
		{Spec{Exclude: []string{"ab"}}, Spec{Exclude: []string{"a*"}}, true},
		{Spec{Exclude: []string{"a*"}}, Spec{Exclude: []string{"ab"}}, false},
		{Spec{Exclude: []string{"a*"}}, Spec{}, false},
		{Spec{}, Spec{MinNew: 5, MaxAge: Duration(time.Hour)}, true},
		{Spec{MinNew: 5}, Spec{}, false},
		{Spec{MinNew: 5}, Spec{MinNew: 5}, true},
		{Spec{MaxAge: Duration(time.Hour)}, Spec{MinNew: 5, MaxAge: Duration(time.Hour)}, false},
	} {
		if got := tc.sweep.covers(tc.other); got != tc.want {
			t.Errorf("%d: %+v covers %+v: %v", n, tc.sweep, tc.other, got)
		}
	}
}
