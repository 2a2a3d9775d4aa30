package catcmd_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
	"chatexport/scripts/chatexport/internal/catcmd"
	"chatexport/scripts/chatexport/internal/clitest"
)

func group() chat.Stream { return chat.Stream{GroupID: "@TGS#1"} }

func run(t *testing.T, dir string, args ...string) clitest.Result {
	t.Helper()
	return clitest.Run(t, catcmd.Command(clitest.Env(nil)), append(args, "--dir", dir)...)
}

// seqs returns the seqs of JSON lines.
func seqs(t *testing.T, lines string) []chat.Seq {
	t.Helper()
	var found []chat.Seq
	for line := range strings.Lines(lines) {
		e, err := chat.ScanElement([]byte(strings.TrimSpace(line)))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		found = append(found, e.Seq)
	}
	return found
}

func span(lo, hi chat.Seq) []chat.Seq {
	var all []chat.Seq
	for seq := lo; seq <= hi; seq++ {
		all = append(all, seq)
	}
	return all
}

func minute(seq chat.Seq) string {
	return archivetest.When().Add(time.Duration(seq) * time.Minute).Format(time.RFC3339)
}

func TestRange_BySeqAndTime(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, group())
	for _, hi := range []chat.Seq{10, 20, 30} {
		b.Messages(hi, 1)
	}
	b.Manifest(archive.StatusComplete)
	b.Messages(40, 1)
	for args, want := range map[string][]chat.Seq{
		"":                            span(1, 40),
		"--from-seq 8 --to-seq 12":    span(8, 12),
		"--from-seq 35":               span(35, 40),
		"--since " + minute(19):       span(19, 40),
		"--until " + minute(3):        span(1, 2),
		"--head 3":                    span(1, 3),
		"--head 3 --from-seq 9":       span(9, 11),
		"--tail 3":                    span(38, 40),
		"--tail 13":                   span(28, 40),
		"--tail 5 --to-seq 12":        span(8, 12),
		"--tail 99":                   span(1, 40),
		"--from-seq 41":               nil,
		"--json --head 1":             span(1, 1),
		"--until 2023-01-01":          nil,
		"--since 2024-01-02 --head 1": span(1, 1),
		"--since " + minute(12) + " --until " + minute(13) + " --tail 9": span(12, 12),
	} {
		r := run(t, dir, append(strings.Fields(args), group().GroupID)...)
		if diff := cmp.Diff(want, seqs(t, r.Stdout)); diff != "" || r.Code != 0 {
			t.Errorf("%q: exit code %d (-want +got):\n%s%s", args, r.Code, diff, r.Stderr)
		}
	}
}

// An archive over a million seqs in a hundred chunks: a range of time reads the chunk that holds it, and to find that no
// more than genesis, manifests and where they end.
func TestRange_ReadsOnlyTheChunksThatOverlap(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	b := clitest.Build(t, w.Store, group())
	for i := range 100 {
		b.Messages(chat.Seq(10_000*(i+1)), 500)
	}
	b.Manifest(archive.StatusComplete)
	for args, want := range map[string]struct {
		chunks int
		seqs   []chat.Seq
	}{
		"--since " + minute(555_001) + " --until " + minute(556_001): {1, []chat.Seq{555_001, 555_501}},
		"--since " + minute(559_501) + " --until " + minute(560_002): {2, []chat.Seq{559_501, 560_001}},
		"--since " + minute(569_502) + " --until " + minute(570_001): {0, nil},
		"--from-seq 999000": {1, []chat.Seq{999_001, 999_501}},
		"--tail 1":          {1, []chat.Seq{999_501}},
	} {
		w.COS.ResetCounts()
		r := clitest.Run(t, catcmd.Command(clitest.Env(w.Env)), append(strings.Fields(args), group().GroupID)...)
		if diff := cmp.Diff(want.seqs, seqs(t, r.Stdout)); diff != "" || r.Code != 0 {
			t.Fatalf("%s: exit code %d (-want +got):\n%s%s", args, r.Code, diff, r.Stderr)
		}
		counts := w.COS.Counts()
		// genesis, the manifest, the manifest that does not exist, and the chunk that does not.
		if diff := cmp.Diff(map[cosemu.Op]int{cosemu.OpGet: 3 + want.chunks, cosemu.OpHead: 1}, counts); diff != "" {
			t.Errorf("%s: requests (-want +got):\n%s", args, diff)
		}
	}
}

func TestText_IsForReadingAndHarmless(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	b := clitest.Build(t, store, group())
	lines := []string{
		`{"From_Account":"eve\u001b[31m","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"two\nlines \u001b]0;title\u0007\u202e"}}],"MsgSeq":1,"MsgTimeStamp":1700000000}`,
		`{"From_Account":"a","MsgBody":[{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://x/f","FileName":"f.pdf","FileSize":12}},{"MsgType":"TIMFaceElem","MsgContent":{"Index":3}}],"MsgSeq":2,"MsgTimeStamp":1700000001}`,
		`{"From_Account":"a","IsPlaceMsg":2,"MsgBody":[],"MsgSeq":3,"MsgTimeStamp":1700000002}`,
		`{"IsPlaceMsg":1,"MsgSeq":4}`,
		`{"From_Account":"@TIM#SYSTEM","IsSystemMsg":1,"MsgBody":{"OpType":2,"Operator_Account":"bob","List_Account":["bob"]},"MsgSeq":5,"MsgTimeStamp":1700000003}`,
		`{"From_Account":"a","MsgBody":[{"MsgType":"TIMImageElem","MsgContent":{"ImageInfoArray":[{"Type":3,"Size":1,"URL":"https://x/thumb"},{"Type":1,"Size":9,"URL":"https://x/original?a=1&b=2"}]}},{"MsgType":"TIMVideoFileElem","MsgContent":{"VideoUrl":"https://x/v","VideoSecond":7,"ThumbUrl":"https://x/t"}},{"MsgType":"TIMNewElem","MsgContent":{}}],"MsgSeq":6,"MsgTimeStamp":1700000004}`,
		`{"From_Account":"a","MsgBody":null,"MsgSeq":7,"MsgTimeStamp":1700000005}`,
	}
	b.Chunk(8, append(archivetest.Elements(t, lines...), chat.NewMalformed(8, []byte("{\x1b[31m")))...)

	want := `2023-11-14 22:13:20Z  eve[31m  two lines ]0;title
2023-11-14 22:13:21Z  a  [file f.pdf, 12 bytes] [face 3]
2023-11-14 22:13:22Z  a  [recalled] ` + `
                      [expired, deleted, or not stored]
2023-11-14 22:13:23Z  * left, by bob: bob
2023-11-14 22:13:24Z  a  [image] [video, 7 s] [TIMNewElem]
2023-11-14 22:13:25Z  a  ` + `
                      [seq 8 is malformed: what came, 6 bytes, could not be read; cat --json has it]
`
	if diff := cmp.Diff(want, run(t, dir, group().GroupID, "--text").Stdout); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestText_MergedMessagesAreReadToo(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	want := `2024-01-02 08:33:00Z  u3  [forwarded: two; A: [image]; B: nested words]
2024-01-02 08:38:00Z  u0  [forwarded: big one; A: hi; stored elsewhere]
`
	var got string
	for line := range strings.Lines(run(t, dir, group().GroupID, "--text").Stdout) {
		if strings.Contains(line, "[forwarded") {
			got += line
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	nested := strings.Repeat(`{"MsgType":"TIMRelayElem","MsgContent":{"MsgList":[{"MsgBody":[`, 99) +
		`{"MsgType":"TIMTextElem","MsgContent":{"Text":"deep"}}` + strings.Repeat(`]}]}}`, 99)
	b := clitest.Build(t, store, chat.Stream{GroupID: "deep"})
	b.Chunk(1, archivetest.Elements(t, `{"MsgBody":[`+nested+`],"MsgSeq":1}`)...)
	if got := run(t, dir, "deep", "--text"); !strings.Contains(got.Stdout, "deep") {
		t.Errorf("99 deep: %s%s", got.Stdout, got.Stderr)
	}
}

func TestMedia_EveryLinkTellsWhereItsFileIs(t *testing.T) {
	t.Parallel()
	store, dir := clitest.Folder(t)
	clitest.Files(t, store, group())
	key := func(content string) string { return layout.Blob(archivetest.Hash([]byte(content))) }
	picture, pdf := key("picture"), key("pdf")
	want := `2024-01-02 08:32:00Z  2.0  0  image  stored: ` + picture + `, 7 B, image/png  https://x/original?a=1&b=2
2024-01-02 08:33:00Z  3.0  0.relay.0.0  image  stored: ` + picture + `, 7 B, image/png  https://x/original?a=1&b=2
2024-01-02 08:34:00Z  4.0  0  file  stored: ` + pdf + `, 3 B, text/html  ../=1+1fdp.exe  https://x/f
2024-01-02 08:35:00Z  5.0  0  video  gone (http_404)  https://x/v
2024-01-02 08:35:00Z  5.1  0  thumb  stored: ` + key("thumb") + `, 5 B, application/octet-stream  https://x/t.jpg
2024-01-02 08:35:00Z  5.2  1  file  stored: ` + pdf + `, 3 B, text/html  ../=1+1fdp.exe  https://x/f
2024-01-02 08:37:00Z  7.0  0  file  no-url (no_url)  no-link.pdf
2024-01-02 08:38:00Z  8.0  0  relay  no-url (no_url)
2024-01-02 08:51:00Z  21.0  0  image  not yet  https://x/original?a=1&b=2
`
	if diff := cmp.Diff(want, run(t, dir, group().GroupID, "--media", "--text").Stdout); diff != "" {
		t.Errorf("for reading (-want +got):\n%s", diff)
	}
	want = `{"seq":5,"n":2,"path":"1","kind":"file","url":"https://x/f","name":"../=1+1\u202efdp.exe","state":"stored","sha256":"` + archivetest.Hash([]byte("pdf")) +
		`","bytes":3,"type":"text/html","time":1704184500,"from":"u1","size":3,"key":"` + pdf + `"}
{"seq":7,"n":0,"path":"0","kind":"file","name":"no-link.pdf","state":"no-url","code":"no_url","time":1704184620,"from":"u3","size":1773552}
`
	got := run(t, dir, group().GroupID, "--media", "--from-seq", "5", "--to-seq", "7").Stdout
	if _, rest, _ := strings.Cut(got, "\n"); !strings.HasSuffix(strings.ReplaceAll(rest, "\u202e", `\u202e`), want) {
		t.Errorf("as JSON:\n%s", got)
	}
	for args, links := range map[string]int{"--tail 1": 1, "--tail 3": 3, "--tail 4": 6, "--head 3": 3, "--since " + minute(6): 3} {
		got := run(t, dir, append(strings.Fields(args), "--media", group().GroupID)...)
		if strings.Count(got.Stdout, "\n") != links || got.Code != 0 {
			t.Errorf("%s:\n%s%s", args, got.Stdout, got.Stderr)
		}
	}
	clitest.Damage(t, dir, layout.Media(group(), 5), "x")
	if got := run(t, dir, "--media", group().GroupID); got.Code != 1 || strings.Count(got.Stdout, "\n") != 3 {
		t.Errorf("a damaged receipt: exit code %d\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
}
