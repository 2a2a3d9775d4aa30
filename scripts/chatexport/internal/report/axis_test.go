package report_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/report"
)

// timed writes a chunk of messages with these times.
func timed(t *testing.T, b *clitest.Builder, times ...int64) {
	t.Helper()
	var elements []chat.Element
	for i, at := range times {
		elements = append(elements, archivetest.Elements(t, fmt.Sprintf(
			`{"From_Account":"u","IsPlaceMsg":0,"MsgBody":[],"MsgSeq":%d,"MsgTimeStamp":%d}`, int(b.Next)+i, at))...)
	}
	b.Chunk(b.Next+chat.Seq(len(times))-1, elements...)
}

func TestAxis_OneOutlierDoesNotRuinIt(t *testing.T) {
	t.Parallel()
	const at = 1764000001
	for name, c := range map[string]struct {
		times    []int64
		from, to string
		beside   string
	}{
		"in milliseconds":   {[]int64{at, (at + 1) * 1000, at + 2}, "2025-11-24 15:59", "2025-11-24 16:01", "at least 1 message after the axis, up to 1764000002000: in milliseconds that is 2025-11-24 16:00"},
		"far in the future": {[]int64{at, at + 50*365*86400}, "2025-11-24", "2025-11-24", "at least 1 message after the axis, up to 2075-"},
		"next to nothing":   {[]int64{86400, at, at + 3600}, "2025-11-24", "2025-11-24", "at least 1 message before the axis, from 1970-01-02"},
		"years, rightly":    {[]int64{at - 3*365*86400, at}, "2022-11-25", "2025-11-24", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, dir := clitest.Folder(t)
			b := clitest.Build(t, store, chat.Stream{GroupID: "odd"})
			timed(t, b, c.times...)
			b.Manifest(archive.StatusComplete)
			b.State(nil)
			b = clitest.Build(t, store, chat.Stream{GroupID: "plain"})
			timed(t, b, at-60, at-30, at)
			timed(t, b, at, at+60)
			b.Manifest(archive.StatusComplete)
			b.State(nil)
			text := page(t, dir)
			if !strings.Contains(text, "messages from "+c.from) || !regexp.MustCompile("messages from [0-9: -]+ to "+c.to).MatchString(text) {
				t.Errorf("the axis is another one: %s", regexp.MustCompile("messages from [^<]*").FindString(text))
			}
			if found := regexp.MustCompile(`at least [^<]*`).FindString(text); !strings.HasPrefix(found, c.beside) || (found == "") != (c.beside == "") {
				t.Errorf("beside the axis: %q", found)
			}
			if n := strings.Count(text, `aria-label="messages over time"`); n != 2 {
				t.Errorf("%d strips over time", n)
			}
		})
	}
}

// Streams with pages are links to them, relative and escaped; others are none.
func TestPage_LinksToPagesThatAreThere(t *testing.T) {
	t.Parallel()
	dir, out := build(t), t.TempDir()
	folder := filepath.Join(out, `odd: #"name`)
	there := filepath.Join(folder, pages.FolderName(chat.Stream{GroupID: "@TGS#sound"}))
	if err := os.MkdirAll(there, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(there, "index.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(out, "report.html")
	if r := clitest.Run(t, report.Command(clitest.Env(nil)), "--dir", dir, "--out", file, "--pages", folder); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`href="[^"]*"`).FindAllString(string(body), -1)
	if want := `href="./odd:%20%23%22name/` + filepath.Base(there) + `/index.html"`; len(links) != 1 || links[0] != want {
		t.Errorf("links: %q, want %s", links, want)
	}
	if r := clitest.Run(t, report.Command(clitest.Env(nil)), "--dir", dir, "--out", file, "--pages", "nowhere"); r.Code != 2 {
		t.Errorf("a missing folder of pages: exit code %d", r.Code)
	}
}

// The newest second of all belongs to the axis: a stream that has nothing else is drawn.
func TestAxis_LastSecondIsOnIt(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	for name, at := range map[string]int64{"first": 1764000000, "last": 1764009999} {
		b := clitest.Build(t, store, chat.Stream{GroupID: name})
		timed(t, b, at)
		b.Manifest(archive.StatusComplete)
		b.State(nil)
	}
	text := page(t, dir)
	if n := len(regexp.MustCompile(`aria-label="messages over time"><path class="archived" d="M`).FindAllString(text, -1)); n != 2 {
		t.Errorf("%d of 2 streams are drawn over time", n)
	}
}
