package pagecmd_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/emulator/media/sample"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/pagecmd"
	"chatexport/scripts/chatexport/internal/pages"
)

// scene is an archive with everything, and the folder of its pages.
type scene struct {
	t        *testing.T
	dir, out string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	store, dir := clitest.Folder(t)
	clitest.Talk(t, store)
	clitest.HostileTalk(t, store)
	return &scene{t: t, dir: dir, out: filepath.Join(t.TempDir(), "pages")}
}

func (s *scene) run(args ...string) clitest.Result {
	s.t.Helper()
	return clitest.Run(s.t, pagecmd.Command(clitest.Env(nil)), append(args, "--dir", s.dir, "--out", s.out)...)
}

// summary runs the command, which must end well.
func (s *scene) summary(args ...string) (sum struct{ Streams, Days, Pages, Files, Written, Kept, Missing int }) {
	s.t.Helper()
	r := s.run(append(args, "--json")...)
	if r.Code != 0 {
		s.t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
	}
	if err := json.Unmarshal([]byte(r.Stdout), &sum); err != nil {
		s.t.Fatal(err)
	}
	return sum
}

func (s *scene) read(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.out, filepath.FromSlash(name)))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

// all returns the names of all files.
func (s *scene) all() []string {
	s.t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(s.out), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[e.IsDir()]; st.Mode().Perm() != want {
			s.t.Errorf("%s has the rights %o", name, st.Mode().Perm())
		}
		if !e.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// sums checks that every file but the list itself is in the list, and has its sum.
func (s *scene) sums() {
	s.t.Helper()
	left := s.all()
	lines := bufio.NewScanner(strings.NewReader(s.read("SHA256SUMS")))
	for lines.Scan() {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		if sum := sha256.Sum256([]byte(s.read(name))); hex.EncodeToString(sum[:]) != want {
			s.t.Errorf("%s has another sum", name)
		}
		left = slices.DeleteFunc(left, func(n string) bool { return n == name })
	}
	if !slices.Equal(left, []string{"SHA256SUMS"}) {
		s.t.Errorf("not in SHA256SUMS: %q", left)
	}
}

// follow follows every link from index.html on, and returns the files that it came to.
func (s *scene) follow() map[string]bool {
	s.t.Helper()
	seen, todo := map[string]bool{"index.html": true}, []string{"index.html"}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if path.Ext(name) != ".html" {
			continue
		}
		for _, link := range s.links(name) {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(u.Path, "/") || u.RawQuery != "" {
				s.t.Errorf("%s: the link %q leaves the folder", name, link)
				continue
			}
			to := name
			if u.Path != "" {
				to = path.Join(path.Dir(name), u.Path)
			}
			if !fs.ValidPath(to) {
				s.t.Errorf("%s: the link %q leaves the folder", name, link)
				continue
			}
			if u.Fragment != "" && !strings.Contains(s.read(to), ` id="`+u.Fragment+`"`) {
				s.t.Errorf("%s: nothing in %s has the id of the link %q", name, to, link)
			}
			if !seen[to] {
				seen[to], todo = true, append(todo, to)
				s.read(to)
			}
		}
	}
	return seen
}

// Templates write all tags in one form.
var (
	tag       = regexp.MustCompile(`<[/!]?([a-z0-9]+)((?: [a-z-]+(?:="[^"<>]*")?)*)>`)
	attribute = regexp.MustCompile(` ([a-z-]+)(?:="([^"]*)")?`)
)

// links returns the addresses in a page, and fails the test if there is anything in it that acts.
func (s *scene) links(name string) []string {
	s.t.Helper()
	var links []string
	content := s.read(name)
	tags := tag.FindAllStringSubmatch(content, -1)
	if n := strings.Count(content, "<"); n != len(tags) {
		s.t.Errorf("%s has %d characters that open tags, and %d tags", name, n, len(tags))
	}
	for _, t := range tags {
		if slices.Contains([]string{"script", "iframe", "object", "embed", "svg", "form", "base", "style"}, t[1]) {
			s.t.Errorf("%s has an element %s", name, t[1])
		}
		for _, a := range attribute.FindAllStringSubmatch(t[2], -1) {
			switch key := a[1]; {
			case strings.HasPrefix(key, "on"), key == "style":
				s.t.Errorf("%s has an attribute %s", name, a[0])
			case key == "href", key == "src", key == "poster":
				links = append(links, html.UnescapeString(a[2]))
			}
		}
	}
	return links
}

func TestPages_AreWholeLinkedAndSummed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	sum := s.summary()
	if sum.Streams != 2 || sum.Days < 3 || sum.Pages < sum.Days || sum.Files < 4 || sum.Kept != 0 || sum.Missing != 0 {
		t.Errorf("summary: %+v", sum)
	}
	s.sums()
	seen := s.follow()
	for _, name := range s.all() {
		if !seen[name] && name != "selection.json" {
			t.Errorf("no link leads to %s", name)
		}
		if !regexp.MustCompile(`^([\w.-]+/){0,2}[\w.-]+\.(html|css|json|txt|bin|png|jpg|wav|pdf)$|^SHA256SUMS$`).MatchString(name) {
			t.Errorf("%s is no safe name", name)
		}
	}
	index := s.read("index.html")
	for _, want := range []string{"The archive is sound", "certificate.json", "@TGS#talk", "Content-Security-Policy"} {
		if !strings.Contains(index, want) {
			t.Errorf("index.html has no %q", want)
		}
	}
	if !strings.Contains(s.read("certificate.json"), `"@TGS#talk"`) {
		t.Error("the certificate does not name the group")
	}
	day := s.talk("2024-01-02.html")
	for _, want := range []string{"We meet at TEN.", "We meet at nine.", "recalled later", "<img ", "<audio ", "Minutes of the meeting.pdf", "had expired before", "did not come"} {
		if !strings.Contains(day, want) {
			t.Errorf("the day has no %q", want)
		}
	}
}

// talk returns a page of the group @TGS#talk.
func (s *scene) talk(name string) string {
	s.t.Helper()
	return s.read(pages.FolderName(clitest.TalkStream()) + "/" + name)
}

// SVG and HTML get no name under which a browser would show them, whatever their senders called them.
func TestPages_FilesThatActAreForSavingOnly(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.summary("@TGS#talk")
	acting := 0
	for _, name := range s.all() {
		if content := s.read(name); strings.HasPrefix(name, "files/") && strings.Contains(content, "<script>") {
			if acting++; path.Ext(name) != ".bin" {
				t.Errorf("%s is HTML or SVG", name)
			}
		}
	}
	if acting != 2 {
		t.Errorf("%d files that act", acting)
	}
}

func TestPages_AreContinued(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.summary()
	day := pages.FolderName(clitest.TalkStream()) + "/2024-01-02.html"
	right := s.read(day)
	var picture string
	for _, name := range s.all() {
		if path.Ext(name) == ".png" {
			picture = name
		}
	}
	// As if it had been killed, and as if somebody had changed a page and a picture.
	for name, content := range map[string]string{day: "other", picture: "other", day + ".part": "half", "files/00/left.bin": "stale", pages.FolderName(clitest.TalkStream()) + "/1999-01-01.html": "stale"} {
		at := filepath.Join(s.out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(s.out, "SHA256SUMS")); err != nil {
		t.Fatal(err)
	}
	again := s.summary()
	// The page, the picture, the sums, and the certificate if the second has changed.
	if again.Written < 3 || again.Written > 4 || again.Kept+again.Written != first.Written {
		t.Errorf("first %+v, then %+v", first, again)
	}
	if s.read(day) != right {
		t.Error("the page is another one")
	}
	s.sums()
	s.follow()
}

func TestPages_OfAPeriodAndAZone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	sum := s.summary("@TGS#talk", "--tz", "Asia/Shanghai", "--since", "2024-01-02 22:06", "--until", "2024-01-02 22:20", "--names", s.people())
	if sum.Streams != 1 || sum.Days != 1 {
		t.Errorf("summary: %+v", sum)
	}
	day := s.talk("2024-01-03.html")
	for want, is := range map[string]bool{"Good evening": true, "We meet at": false, "06:06": true, "Annabel": true, "ann": true, "expired": true} {
		if strings.Contains(day, want) != is {
			t.Errorf("%q: %v", want, !is)
		}
	}
	s.follow()
	s.sums()
}

func (s *scene) people() string {
	name := filepath.Join(s.t.TempDir(), "people.csv")
	if err := os.WriteFile(name, []byte("id,name\nann,Annabel\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return name
}

func TestPages_FolderOfOthersIsNotTouched(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if err := os.MkdirAll(s.out, 0o700); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(s.out, "mine.html")
	if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.run(); r.Code != 2 || !strings.Contains(r.Stderr, "not written by page") {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	s.summary("hostile")
	if r := s.run("@TGS#talk"); r.Code != 2 || !strings.Contains(r.Stderr, "other groups") {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
	s.follow()
}

func TestPages_BusyDayHasSeveral(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, chat.Stream{GroupID: "busy"})
	b.Messages(2500, 1) // one a minute
	b.Manifest(archive.StatusComplete)
	s := &scene{t: t, dir: dir, out: filepath.Join(t.TempDir(), "pages")}
	if sum := s.summary("busy"); sum.Days != 3 || sum.Pages != 4 {
		t.Errorf("summary: %+v", sum)
	}
	folder := pages.FolderName(b.Stream) + "/"
	if n := strings.Count(s.read(folder+"2024-01-03.html"), `<li class="msg`); n != 1000 {
		t.Errorf("%d messages on the first page of the busy day", n)
	}
	if !strings.Contains(s.read(folder+"2024-01-03-2.html"), "part 2 of 2") {
		t.Error("the second page does not say that it is one")
	}
	s.follow()
	s.sums()
}

// What is damaged or missing is told on the pages, which are written all the same, and by the exit code.
func TestPages_OfADamagedArchive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  func(b *clitest.Builder) string
		want string
	}{
		"chunk":    {func(b *clitest.Builder) string { return layout.Chunk(b.Stream, 5) }, "cannot be read: the chunk is damaged or missing"},
		"manifest": {func(b *clitest.Builder) string { return layout.Manifest(b.Stream, 43) }, "cannot be followed further"},
		"file":     {func(*clitest.Builder) string { return layout.Blob(archivetest.Hash(sample.PNG(7))) }, "not beside this page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, dir := clitest.Folder(t)
			b := clitest.Talk(t, store)
			clitest.Damage(t, dir, c.key(b), "damage")
			s := &scene{t: t, dir: dir, out: filepath.Join(t.TempDir(), "pages")}
			if r := s.run(); r.Code != 1 {
				t.Errorf("exit code %d: %s", r.Code, r.Stderr)
			}
			if !strings.Contains(s.talk("2024-01-02.html"), c.want) {
				t.Errorf("the day does not say %q", c.want)
			}
			s.follow()
			s.sums()
		})
	}
}
