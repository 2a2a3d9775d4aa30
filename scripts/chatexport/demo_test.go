package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/testdata"
)

func TestDemo_ArchivesEveryMessageOnce(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	const messages = 1200
	first := runDemo(t, out, "--messages", "1200", "--span", "300")
	if !first.Sound || first.Messages != messages || first.Exported != messages || first.Resumed || len(first.Groups) != 3 {
		t.Errorf("first run: %+v", first)
	}
	if first.Groups[0].Chunks < 4 {
		t.Errorf("the largest group has %d chunks with --span 300, want at least 4", first.Groups[0].Chunks)
	}
	if diff := cmp.Diff(source(t, messages), archived(t, first.Archive)); diff != "" {
		t.Errorf("archived texts (-source +archive):\n%s", diff)
	}

	second := runDemo(t, out, "--messages", "1200", "--span", "300")
	if !second.Sound || second.Messages != messages || second.Exported != 0 || second.ChatCalls > 2*len(first.Groups) {
		t.Errorf("a second tick with nothing new: %+v", second)
	}
}

func TestDemo_SaysWhereTheFilesLie(t *testing.T) {
	t.Parallel()
	got := command(t.Context(), "demo", "--out", filepath.Join(t.TempDir(), "demo"), "--latency", "0s", "--qps", "200",
		"--time-limit", "10s", "--messages", "300")
	if got.code != 0 || !strings.Contains(got.stdout, "sound: 300 messages, compared with the source one by one\n") {
		t.Fatalf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
	shown := regexp.MustCompile(`(?m)^  zcat (\S+) \|`).FindStringSubmatch(got.stdout)
	if shown == nil {
		t.Fatalf("no zcat in:\n%s", got.stdout)
	}
	if texts := textsOf(t, shown[1]); len(texts) != 237 || texts[0] != source(t, 1)[0] {
		t.Errorf("the chunk that is shown has %d messages", len(texts))
	}
	if !strings.Contains(got.stderr, "\nbatch 1 ") {
		t.Errorf("no line about the first batch in:\n%s", got.stderr)
	}
	if strings.ContainsAny(got.stdout+got.stderr, "\x1b\r") {
		t.Errorf("control characters off a terminal:\n%q\n%q", got.stdout, got.stderr)
	}
}

func TestDemo_SweepsManyGroups(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	first := runDemo(t, out, "--messages", "300", "--groups", "60", "--time-limit", "10s")
	if !first.Sound || first.Messages != 300 || first.Exported != 300 || len(first.Groups) != 60 {
		t.Errorf("first sweep: %+v", first)
	}
	second := runDemo(t, out, "--messages", "300", "--groups", "60", "--time-limit", "10s")
	if !second.Sound || second.Exported != 0 || second.ChatCalls > 6 {
		t.Errorf("second sweep: %+v", second)
	}
}

func TestDemo_SmallTimeLimitMakesSeveralBatches(t *testing.T) {
	t.Parallel()
	r := runDemo(t, filepath.Join(t.TempDir(), "demo"), "--messages", "1500", "--qps", "50", "--time-limit", "2s")
	if !r.Sound || r.Messages != 1500 || r.Batches < 4 {
		t.Errorf("75 pages at 50 calls a second, 2 s each: %+v, want more than one batch a group", r)
	}
}

func TestDemo_ShowsTheFunctionsLog(t *testing.T) {
	t.Parallel()
	got := command(t.Context(), "demo", "--out", filepath.Join(t.TempDir(), "demo"), "--latency", "0s", "--messages", "1", "--log")
	if got.code != 0 || !strings.Contains(got.stderr, `"outcome":"complete"`) || !strings.Contains(got.stdout, "sound, empty") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestDemo_DataMayBePlainOrGzip(t *testing.T) {
	t.Parallel()
	lines := testdata.ChatLog()
	plain, packed := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "log")
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(lines); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{plain: lines, packed: z.Bytes()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r := runDemo(t, filepath.Join(t.TempDir(), "demo"), "--data", path, "--messages", "200")
		if diff := cmp.Diff(source(t, 200), archived(t, r.Archive)); diff != "" {
			t.Errorf("%s (-source +archive):\n%s", path, diff)
		}
	}
}

func TestDemoFolder_OfOtherMessagesIsRefused(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	runDemo(t, out, "--messages", "100")
	before := tree(t, out)
	got := command(t.Context(), "demo", "--out", out, "--messages", "101")
	if got.code != 2 || !strings.Contains(got.stderr, "other messages") {
		t.Errorf("exit code %d, %q", got.code, got.stderr)
	}
	if diff := cmp.Diff(before, tree(t, out)); diff != "" {
		t.Errorf("the folder was touched:\n%s", diff)
	}
}

// hook calls f with everything that was written so far.
type hook struct {
	mu  sync.Mutex
	all strings.Builder
	f   func(string)
}

func (h *hook) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.all.Write(p)
	h.f(h.all.String())
	return n, err
}

func TestDemoRestart_GoesOnWhereTheArchiveEnds(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{"named groups": nil, "sweep": {"--groups", "12"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "demo")
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			stderr := &hook{f: func(all string) {
				if strings.Contains(all, "\nbatch 2 ") {
					interrupt()
				}
			}}
			flags := append([]string{"demo", "--out", out, "--latency", "1ms", "--qps", "50", "--time-limit", "2s", "--messages", "1500", "--json"}, more...)
			var stdout bytes.Buffer
			if code := execute(ctx, flags, &stdout, stderr); code != 130 || stdout.Len() > 0 {
				t.Fatalf("interrupted: exit code %d, %s\n%s", code, &stdout, &stderr.all)
			}
			if said := stderr.all.String(); !strings.Contains(said, "To go on: ") || strings.Contains(said, "context canceled") {
				t.Errorf("the interrupted demo said:\n%s", said)
			}
			got := command(t.Context(), flags...)
			r := decode(t, got.stdout)
			if got.code != 0 || !r.Sound || r.Messages != 1500 || !r.Resumed || r.Exported == 0 || r.Exported >= 1500 {
				t.Errorf("second start: exit code %d, %+v\n%s", got.code, r, got.stderr)
			}
			if diff := cmp.Diff(source(t, 1500), archived(t, r.Archive)); more == nil && diff != "" {
				t.Errorf("archived texts (-source +archive):\n%s", diff)
			}
		})
	}
}

func TestDemoFolder_InUseIsRefused(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	var second invocation
	var once sync.Once
	stderr := &hook{f: func(all string) {
		if strings.Contains(all, "firing the timer") {
			once.Do(func() { second = command(t.Context(), "demo", "--out", out, "--messages", "50") })
		}
	}}
	var stdout bytes.Buffer
	if code := execute(t.Context(), []string{"demo", "--out", out, "--latency", "0s", "--messages", "50"}, &stdout, stderr); code != 0 {
		t.Errorf("first demo: exit code %d, %s", code, &stderr.all)
	}
	if second.code != 2 || !strings.Contains(second.stderr, "another demo is using the folder") {
		t.Errorf("second demo at the same time: %+v", second)
	}
}

func TestDemo_ServiceThatFailsIsExit3AndCanBeMended(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	runDemo(t, out, "--messages", "100")
	// Somebody enabled versioning, which makes create-only writes void: the function refuses to work.
	setting := filepath.Join(out, "chat-archive-1250000000.versioning")
	if err := os.WriteFile(setting, []byte("Enabled"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(t.Context(), "demo", "--out", out, "--messages", "100", "--latency", "0s")
	if got.code != 3 || !strings.Contains(got.stderr, "the function failed 3 times") || !strings.Contains(got.stderr, "versioning") {
		t.Errorf("with versioning: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if err := os.Remove(setting); err != nil {
		t.Fatal(err)
	}
	if r := runDemo(t, out, "--messages", "100"); !r.Sound || !r.Resumed {
		t.Errorf("after it was mended: %+v", r)
	}
}

func TestDemo_DamagedArchiveIsExit1(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	r := runDemo(t, out, "--messages", "100")
	chunk := filepath.Join(r.Archive, "data", "gid=ubuntu", "tid=-", "0000000001.ndjson.gz")
	raw, err := os.ReadFile(chunk)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(chunk, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(t.Context(), "demo", "--out", out, "--messages", "100", "--latency", "0s")
	if got.code != 1 || !strings.Contains(got.stdout, "NOT SOUND") || !strings.Contains(got.stdout, "0000000001.ndjson.gz") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestDemo_FindsWhatChangedAfterwards(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "demo")
	want := map[string]int{"same": 297, "edited": 1, "recalled": 1, "deleted": 1}
	for _, start := range []string{"first", "second"} {
		r := runDemo(t, out, "--messages", "300")
		if diff := cmp.Diff(want, r.Looks.Counts); diff != "" || r.Looks.Looked != 300 {
			t.Errorf("%s start: looked at %d (-want +got):\n%s", start, r.Looks.Looked, diff)
		}
	}
}
