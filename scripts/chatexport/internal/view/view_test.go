package view_test

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/view"
)

const talk = "/talk/gid=.40TGS.23talk/tid=-/"

// contains reports what of the wanted a page lacks.
func contains(t *testing.T, page string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestTalk_ADayHasAllThatHappened(t *testing.T) {
	t.Parallel()
	names := filepath.Join(t.TempDir(), "names.csv")
	if err := os.WriteFile(names, []byte("id,name\nomar,\"Omar, the <tall>\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := show(t, "--names", names)
	day := s.get(talk + "?day=2024-01-02")
	contains(
		t, day, "Tuesday, 2 January 2024", "Bob Builder (bob), 慧玲 (u3) joined, added by Ann Example (ann)", "Omar, the &lt;tall&gt;", "4 messages had expired",
		"5 messages did not come, though asked for twice", "18 messages had expired before they could be archived", "What came could not be read: 10 bytes",
		"We meet at TEN.", "We meet at nine.", "recalled later", "deleted later", "found later", "no longer returned", "gone before it could be fetched (http_404)",
		"Chat of Ann and Eve", "Poll: where to eat?", "<audio controls", "invoice<span class=\"acts\"", "chain holds", "22 expired", `rel="next"`,
	)
	if n := strings.Count(day, "<img "); n != 4 {
		t.Errorf("%d pictures are shown, want 4: an SVG is none", n)
	}
	contains(t, s.get(talk), "Wednesday, 3 January 2024", "message 160 of a quiet afternoon")
	contains(t, s.get(talk+"?tz=Asia/Shanghai"), "Wednesday, 3 January 2024", "times in Asia/Shanghai", "06:06")
	contains(t, s.get("/"), "@TGS#talk", "hostile", "2 of 2 conversations")
	if list := s.get("/?lost=1&name=tgs"); strings.Contains(list, ">hostile<") || !strings.Contains(list, "1 of 2") {
		t.Error("the list is not narrowed")
	}
}

func TestJump_GoesToATimeOrASeq(t *testing.T) {
	t.Parallel()
	s := show(t)
	for to, want := range map[string]string{
		"30": "day=2024-01-02&seq=30#s30", "37": "day=2024-01-02&seq=35#s35", "2": "day=2024-01-02&seq=1#s1", "2024-01-03": "day=2024-01-03",
		"2024-01-02 22:19:30": "day=2024-01-02&seq=20#s20", "2024-01-02T22:30:00Z": "day=2024-01-02&seq=30#s30",
	} {
		s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		r, _ := s.ask(talk+"jump?to="+strings.ReplaceAll(to, " ", "+"), nil) //nolint:bodyclose // ask has closed it
		if got := r.Header.Get("Location"); got != talk+"?"+want {
			t.Errorf("%s leads to %s: %s", to, got, r.Status)
		}
	}
	if r, body := s.ask(talk+"jump?to=elsewhere", nil); r.StatusCode != 400 || !strings.Contains(body, "neither a time") { //nolint:bodyclose // ask has closed it
		t.Errorf("what is neither: %s", r.Status)
	}
	if r, _ := s.ask(talk+"jump?to=99999", nil); r.StatusCode != 404 { //nolint:bodyclose // ask has closed it
		t.Errorf("a seq beyond the end: %s", r.Status)
	}
}

// Every link of a day leads somewhere, and nothing of the page acts or comes from elsewhere.
func TestHostile_NothingOfItWorks(t *testing.T) {
	t.Parallel()
	s := show(t)
	page := s.get("/talk/gid=hostile/tid=-/?day=2026-01-02")
	ours := regexp.MustCompile(`^(/[^/\\]?|#|/$)`)
	attribute := regexp.MustCompile(`\s(href|src|action|poster)="([^"]*)"`)
	for _, found := range attribute.FindAllStringSubmatch(page, -1) {
		if address := html.UnescapeString(found[2]); !ours.MatchString(address) || strings.HasPrefix(address, "//") {
			t.Errorf("%s leads to %q", found[1], address)
		}
	}
	if regexp.MustCompile(`(?i)<(script|svg|iframe|object|embed|style|base|h1>markup)`).MatchString(page) {
		t.Error("markup of a stranger is markup of the page")
	}
	if regexp.MustCompile(`(?i)<[a-z]+[^>"]*(\s[a-z-]+="[^"]*")*\s+on[a-z]+=`).MatchString(page) {
		t.Error("an element has a handler")
	}
	if i := strings.IndexFunc(page, func(r rune) bool {
		return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r < ' ' && r != '\n' && r != '\t' || r == 0x7f
	}); i >= 0 {
		t.Errorf("a character that acts is in the page: %q", page[max(0, i-40):i+10])
	}
	contains(t, page, "markup-1", "שלום עולם", "こんにちは", "merged-1", "&lt;script&gt;alert(&#39;markup-1&#39;)&lt;/script&gt;")
	for seq := 1; seq <= 79; seq++ {
		if proof := s.get(fmt.Sprintf("/talk/gid=hostile/tid=-/proof?seq=%d", seq)); strings.Contains(proof, "<script") {
			t.Errorf("the proof of %d has a script", seq)
		}
	}
}

func TestFile_IsShownOnlyIfItCannotAct(t *testing.T) {
	t.Parallel()
	s := show(t)
	ask := func(content, query string, change func(*http.Request)) (*http.Response, string) {
		return s.ask("/file/"+archivetest.Hash([]byte(content))+query, change)
	}
	svg := `<svg xmlns="http://www.w3.org/2000/svg"><script>alert("svg")</script></svg>`
	for _, test := range []struct{ content, kind, disposition string }{
		{string(sample.PNG(7)), "image/png", "inline; filename=x.png"},
		{string(sample.WAV(9)), "audio/wave", "inline; filename=x.png.wav"},
		{svg, "application/octet-stream", "attachment; filename=x.png"},
		{`<!doctype html><script>alert("html")</script>`, "application/octet-stream", "attachment; filename=x.png"},
		{string(sample.PDF("Minutes")), "application/octet-stream", "attachment; filename=x.png"},
	} {
		r, body := ask(test.content, "?name=../x.png", nil) //nolint:bodyclose // ask has closed it
		if body != test.content || r.Header.Get("Content-Type") != test.kind || r.Header.Get("Content-Disposition") != test.disposition ||
			r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %s, %v", test.kind, r.Status, r.Header)
		}
	}
	r, body := ask(string(sample.WAV(9)), "", func(r *http.Request) { r.Header.Set("Range", "bytes=4-7") }) //nolint:bodyclose // ask has closed it
	if r.StatusCode != http.StatusPartialContent || body != string(sample.WAV(9))[4:8] {
		t.Errorf("a piece of a sound: %s", r.Status)
	}
	sum := archivetest.Hash(sample.JPEG(8))
	clitest.Damage(t, s.dir, layout.Blob(sum), "not what was stored")
	if r, body := s.ask("/file/"+sum, nil); r.StatusCode != http.StatusBadGateway || strings.Contains(body, "not what was stored") { //nolint:bodyclose // ask has closed it
		t.Errorf("a damaged file: %s", r.Status)
	}
	if r, _ := s.ask("/file/"+strings.Repeat("0", 64), nil); r.StatusCode != http.StatusNotFound { //nolint:bodyclose // ask has closed it
		t.Errorf("a file that is not there: %s", r.Status)
	}
}

func TestSearch_FindsInAllConversationsAndGoesOn(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Talk(t, store)
	b := clitest.Build(t, store, chat.Stream{GroupID: "long"})
	b.Messages(450, 1)
	b.Manifest(archive.StatusComplete)
	s := serve(t, dir)
	s.get(strings.TrimPrefix(s.address, s.origin))
	contains(t, s.get("/search?q=meet"), "We meet at TEN.", "Minutes of the meeting.pdf", "2 messages found")
	contains(t, s.get("/search?kind=recalled&in=gid%3D.40TGS.23talk/tid%3D-/"), "1 message found", "I should not have said that.")
	contains(t, s.get("/search?from=慧玲&since=2024-01-02&until=2024-01-02&q=removed"), "1 message found")
	contains(t, s.get("/search"), "All words must be")
	seen, path := 0, "/search?q=message&from=u"
	for path != "" {
		page := s.get(path)
		seen += strings.Count(page, `class="where"><a href="/talk/gid=long`)
		path = ""
		if next := regexp.MustCompile(`<a href="([^"]*)">Go on from there`).FindStringSubmatch(page); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	if seen != 450 {
		t.Errorf("%d of 450 messages were found, page by page", seen)
	}
	clitest.Damage(t, dir, layout.Chunk(chat.Stream{GroupID: "long"}, 1), "x")
	contains(t, s.get("/search?q=message&in=gid%3Dlong/tid%3D-/"), "could not be searched whole")
}

func TestProof_HasWhatChecksIt(t *testing.T) {
	t.Parallel()
	s := show(t)
	proof := s.get(talk + "proof?seq=30")
	contains(
		t, proof, "We meet at nine.", "data/gid=.40TGS.23talk/tid=-/0000000005.ndjson.gz", "manifest/gid=.40TGS.23talk/tid=-/0000000005.json", "1 more stand behind it",
		"change/gid=.40TGS.23talk/tid=-/0000000005.ndjson.gz", "sha256sum -c", "chatexport verify --read --dir",
	)
	contains(t, s.get(talk+"proof?seq=7"), "blob/", "media/gid=.40TGS.23talk/tid=-/0000000005.ndjson.gz")
	contains(t, s.get(talk+"proof?seq=36"), "There is no line for this seq")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	empty := clitest.Run(t, view.Command(clitest.Env(nil)), "--dir", dir)
	clitest.Sound(t, store, chat.Stream{GroupID: "g"})
	for name, r := range map[string]clitest.Result{
		"no archive":   empty,
		"no folder":    clitest.Run(t, view.Command(clitest.Env(nil)), "--dir", filepath.Join(dir, "x")),
		"no time zone": clitest.Run(t, view.Command(clitest.Env(nil)), "--dir", dir, "--tz", "Moon"),
		"no names":     clitest.Run(t, view.Command(clitest.Env(nil)), "--dir", dir, "--names", filepath.Join(dir, "x.csv")),
		"no port":      clitest.Run(t, view.Command(clitest.Env(nil)), "--dir", dir, "--port", "70000"),
	} {
		if r.Code != 2 || r.Stderr == "" {
			t.Errorf("%s: exit code %d: %s", name, r.Code, r.Stderr)
		}
	}
}
