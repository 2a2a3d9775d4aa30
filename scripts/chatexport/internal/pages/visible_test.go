package pages

import (
	"mime"
	"strings"
	"testing"
	"unicode"

	"chatexport/internal/chat"
	"chatexport/testdata"
)

func TestSpans_WhatActsIsSeen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain\ntext\t":        "plain\ntext\t",
		"a\u202eb":             "a[U+202E]b",
		"\x1b[31m\x00\u009b":   "[U+001B][31m[U+0000][U+009B]",
		"\u200bx\ufeff\u2028":  "[U+200B]x[U+FEFF][U+2028]",
		"שלום 👨\u200d👩\u200d👧": "שלום 👨\u200d👩\u200d👧",
		"🏴\U000e0067\U000e0062\U000e007f \U000e0067": "🏴\U000e0067\U000e0062\U000e007f [U+E0067]",
		"\ue000": "[U+E000]",
	} {
		var b strings.Builder
		for _, s := range spans(text) {
			if b.WriteString(s.Text); s.Code != "" {
				b.WriteString("[" + s.Code + "]")
			}
		}
		if b.String() != want {
			t.Errorf("%q is shown as %q, want %q", text, b.String(), want)
		}
	}
	if got := Plain("a\nb\u202e"); got != "a b[U+202E]" {
		t.Errorf("on one line: %q", got)
	}
}

func TestTypeOf_OnlyWhatCannotActIsShown(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"\x89PNG\r\n\x1a\n...": "image/png", "\xff\xd8\xff\xe0": "image/jpeg", "GIF89a": "image/gif", "RIFF....WEBPVP": "image/webp",
		"RIFF....WAVE": "audio/wave", "ID3\x03": "audio/mpeg", "OggS\x00": "audio/ogg", "\x1aE\xdf\xa3": "video/webm",
		`<svg xmlns="http://www.w3.org/2000/svg">`: SaveOnly, "<!doctype html><script>": SaveOnly, "%PDF-1.7": SaveOnly, "": SaveOnly,
		"<?xml version=\"1.0\"?><svg/>": SaveOnly, "GIF": SaveOnly, "\x00\x00\x00\x18ftypavif": SaveOnly, "text": SaveOnly,
	} {
		if got := TypeOf([]byte(head)); got != want {
			t.Errorf("%q is %s, want %s", head, got, want)
		}
	}
}

// fileNames gives the names of files of the hostile messages.
func fileNames(tb testing.TB) []string {
	tb.Helper()
	var names []string
	for raw := range strings.Lines(string(testdata.Hostile())) {
		e, err := chat.ScanElement([]byte(strings.TrimSpace(raw)))
		if err != nil {
			tb.Fatal(err)
		}
		for _, link := range chat.Links(&e) {
			names = append(names, link.Name)
		}
	}
	return names
}

func checkName(t *testing.T, name string) {
	t.Helper()
	got := FileName(name)
	stem, _, _ := strings.Cut(strings.ToUpper(got), ".")
	switch {
	case got == "" || len(got) > maxName+len("file_"), got != FileName(got),
		strings.ContainsAny(got, "/\\:*?\"<>|%;\r\n\x00"), strings.ContainsAny(got[:1], ".-~=+@ "), strings.ContainsAny(got[len(got)-1:], ". "),
		strings.TrimSpace(stem) == "CON" || strings.TrimSpace(stem) == "NUL",
		strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		t.Errorf("%q becomes %q", name, got)
	}
	kind, params, err := mime.ParseMediaType(Disposition(name))
	if err != nil || kind != "attachment" || params["filename"] != got || strings.ContainsAny(Disposition(name), "\r\n") {
		t.Errorf("%q is sent as %q: %v", name, Disposition(name), err)
	}
}

func TestFileName_IsSafeToSaveUnder(t *testing.T) {
	t.Parallel()
	for _, name := range fileNames(t) {
		checkName(t, name)
	}
	for name, want := range map[string]string{
		"Minutes of the meeting.pdf": "Minutes of the meeting.pdf", "文件.pdf": "文件.pdf", "a/b\\c.txt": "c.txt", "../..": "file", "CON.txt": "file_CON.txt",
		"=1+1.csv": "file_=1+1.csv", "___": "file",
	} {
		if got := FileName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

func FuzzFileName(f *testing.F) {
	for _, name := range fileNames(f) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) { checkName(t, name) })
}
