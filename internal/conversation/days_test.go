package conversation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/catalog"
	"chatexport/internal/conversation"
)

// days writes the days of a range in short, with what their parts show.
func days(t *testing.T, c *conversation.Conversation, rng catalog.Range) string {
	t.Helper()
	marks, err := c.Days(t.Context(), rng, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range marks {
		var parts []string
		total := 0
		for p, err := range c.Parts(t.Context(), conversation.Query{Date: m.Date, Zone: time.UTC, Most: 3, Within: rng}) {
			if err != nil {
				t.Fatal(err)
			}
			total += len(p.Rows)
			parts = append(parts, shown(p.Rows))
			if same := pageOf(t, c, conversation.Query{Date: m.Date, Most: 3, From: p.Parts[p.Part], Within: rng}); shown(same.Rows) != shown(p.Rows) {
				t.Errorf("part %d of %s is %s, and asked for alone %s", p.Part, m.Date, shown(p.Rows), shown(same.Rows))
			}
		}
		if total != m.Count {
			t.Errorf("%s has %d rows, and %d were counted", m.Date, total, m.Count)
		}
		lines = append(lines, fmt.Sprintf("%d: %s", m.Date.Day, strings.Join(parts, " / ")))
	}
	return strings.Join(lines, "\n")
}

func TestDays_OfARange(t *testing.T) {
	t.Parallel()
	c := mixed(t).open(conversation.Options{})
	for name, v := range map[string]struct {
		rng  catalog.Range
		want string
	}{
		"all":       {catalog.Range{}, "2: expired:1-3 4 placeholder:5-6 / absent:7-8 9 10\n3: 11 absent:12 23\n4: expired:13-20 21 22\n5: 24"},
		"from seq":  {catalog.Range{FromSeq: 8, ToSeq: 21}, "2: absent:7-8 9 10\n3: 11 absent:12\n4: expired:13-20 21"},
		"from time": {catalog.Range{Since: start + day, Until: start + 2*day}, "3: 11 absent:12 23"},
		"nothing":   {catalog.Range{Since: start + 50*day}, ""},
	} {
		if diff := cmp.Diff(v.want, days(t, c, v.rng)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
