package report_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	_ "image/png" // of the screenshot
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/clitest"
	"chatexport/scripts/chatexport/internal/report"
)

// build writes an archive that has everything a page can show.
func build(t *testing.T) string {
	t.Helper()
	store, dir := clitest.Folder(t)
	state := func(change func(*archive.State)) func(*archive.State) {
		return func(s *archive.State) {
			s.UpdatedAt = time.Now().Add(-2 * time.Hour)
			if change != nil {
				change(s)
			}
		}
	}
	b := clitest.Sound(t, store, chat.Stream{GroupID: "@TGS#sound"})
	b.State(state(nil))
	b = clitest.Sound(t, store, chat.Stream{GroupID: "@TGS#pending"})
	b.State(state(func(s *archive.State) { s.Status, s.Head = archive.StatusRunning, 240 }))
	b = clitest.Sound(t, store, chat.Stream{GroupID: "@TGS#_c", TopicID: "@TGS#_c@TOPIC#_<script>alert(1)</script>"})
	b.State(state(func(s *archive.State) {
		s.Status = archive.StatusDamaged
		s.Error = &archive.StateError{Code: "chunk_missing", Text: `state says that <b>it</b> & "more" exist`, At: s.UpdatedAt, Frontier: s.Frontier}
	}))
	b = clitest.Build(t, store, chat.Stream{GroupID: "holes"})
	for i := range 12 {
		b.Messages(chat.Seq(50*(i+1)), chat.Seq(1+i%4))
		b.Manifest(archive.StatusComplete)
	}
	b.State(state(nil))
	b.Chunk(602, chat.NewMalformed(601, []byte("{")), chat.NewMalformed(602, []byte("{")))
	b = clitest.Build(t, store, chat.Stream{GroupID: "empty"})
	b.State(state(nil))
	clitest.Files(t, store, chat.Stream{GroupID: "files"})
	b = clitest.Build(t, store, chat.Stream{GroupID: "left"})
	b.Messages(30, 1)
	b.Manifest(archive.StatusGone)
	b.State(state(func(s *archive.State) { s.Status = archive.StatusGone }))
	b = clitest.Sound(t, store, chat.Stream{GroupID: "broken"})
	b.State(state(nil))
	clitest.Damage(t, dir, layout.Manifest(b.Stream, 46), "{}")
	return dir
}

func page(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "report.html")
	r := clitest.Run(t, report.Command(clitest.Env(nil)), append(args, "--dir", dir, "--out", out)...)
	if r.Code != 0 {
		t.Fatalf("exit code %d: %s", r.Code, r.Stderr)
	}
	body, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestPage_TellsTroubleFirstAndNeedsNothingElse(t *testing.T) {
	t.Parallel()
	text := page(t, build(t))
	trouble := strings.Index(text, "chunk_missing")
	if trouble < 0 || trouble > strings.Index(text, "<h2>Coverage") {
		t.Error("trouble does not come first")
	}
	for _, want := range []string{
		"@TGS#sound", "@TGS#pending", "holes", "empty", "not read to the end", "<b>2</b>malformed", "2 malformed: came", "12 absent", "<b>5</b>files, 25 B, of 9 links",
		"<b>3</b>links without a file", "<b>1</b>files waiting", "9 links, 5 stored (55%), 25 B, 1 gone, 2 no-url, 1 waiting, from seq 21 on", "chatexport repair pulls it again",
		`class="archived"`, `class="expired"`, `class="absent"`, `class="pending"`, "prefers-color-scheme: dark", "Growth",
		"dissolved</span>", `class="gone`, "of dissolved groups",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if found := regexp.MustCompile(`(?i)<script|https?:|src=|href=|url\(|@import`).FindString(text); found != "" {
		t.Errorf("the page has %q: it would load or run something", found)
	}
	if strings.Contains(text, "message 7") {
		t.Error("message content is in the page")
	}
}

// Browsers mend what is broken, so the form is checked by a parser that does not.
func TestPage_DrawingsAreWellFormed(t *testing.T) {
	t.Parallel()
	text := page(t, build(t))
	drawings := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1)
	if len(drawings) < 10 {
		t.Fatalf("%d drawings", len(drawings))
	}
	for _, d := range drawings {
		decoder := xml.NewDecoder(strings.NewReader(d))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, d)
			}
		}
		if strings.Contains(d, "NaN") || strings.Contains(d, "Inf") {
			t.Errorf("not a number in %s", d)
		}
	}
}

func TestPage_IsBoundedByMost(t *testing.T) {
	t.Parallel()
	text := page(t, build(t), "--most", "1")
	if strings.Count(text, `class="id">`) != 1 || !strings.Contains(text, "7 more streams") {
		t.Error("more than one stream is drawn")
	}
}

// A real browser shows the page, light and dark, wide and narrow. The screenshots go to REPORT_SCREENSHOTS, if that is set, to be looked at.
func TestPage_IsShownByABrowser(t *testing.T) {
	t.Parallel()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium is installed")
	}
	folder := os.Getenv("REPORT_SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	file := filepath.Join(t.TempDir(), "report.html")
	text := page(t, build(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, window := range map[string]string{"dark": "1240,1500", "light": "1240,1500", "light-phone": "390,3000"} {
		shot, setting := filepath.Join(folder, "report-"+name+".png"), "1"
		if name == "dark" {
			setting = "0"
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
			"--blink-settings=preferredColorScheme="+setting, "--window-size="+window, "--screenshot="+shot, "file://"+file)
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		ground, colours := look(t, shot)
		if dark := ground < 0x40; dark != (name == "dark") {
			t.Errorf("%s: the ground has the brightness %#x", name, ground)
		}
		if colours < 50 {
			t.Errorf("%s: only %d colours: nothing is drawn", name, colours)
		}
	}
}

// look returns the brightness of a corner and how many colours there are.
func look(t *testing.T, path string) (ground uint8, colours int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[color.Color]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			seen[img.At(x, y)] = true
		}
	}
	return color.GrayModel.Convert(img.At(2, 2)).(color.Gray).Y, len(seen)
}
