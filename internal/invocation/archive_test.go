package invocation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/emulator/world"
	"chatexport/internal/layout"
)

// element is one element as the service sends it, with its line in the archive.
type element struct {
	name     string
	sent     string
	line     string // empty: what was sent, with the GroupId in front
	repaired bool
}

// elements have everything that a JSON library likes to change. Their seqs are 1, 2, 3, ...
func elements() []element {
	const begin = `"From_Account":"u","IsPlaceMsg":0,"IsSystemMsg":0,`
	return []element{
		{name: "control characters", sent: `{` + begin + `"MsgBody":[{"T":"\b\u0001\u0010\u0006\u001A\u0000\t"}],"MsgSeq":1,"MsgTimeStamp":1700000001}`},
		{name: "line separators", sent: `{` + begin + `"MsgBody":[{"T":"a` + "\u2028\u2029" + ` \u2028\u2029"}],"MsgSeq":2,"MsgTimeStamp":1700000002}`},
		{name: "HTML characters", sent: `{` + begin + `"MsgBody":[{"T":"<b>&amp;</b> \u003c\u0026\u003E"}],"MsgSeq":3,"MsgTimeStamp":1700000003}`},
		{name: "largest numbers", sent: `{` + begin + `"MsgRandom":4294967295,"big":18446744073709551615,"bigger":123456789012345678901234567890,"MsgSeq":4,"MsgTimeStamp":4294967295}`},
		{name: "floats", sent: `{` + begin + `"MsgBody":[{"Latitude":29.340656774469956,"Longitude":116.77497920478824e0,"x":[1.0,-0,1e400,0.10000000000000001,1E+2]}],"MsgSeq":5,"MsgTimeStamp":1700000005}`},
		{name: "body is an object", sent: `{` + begin + `"MsgBody":{"MsgContent":{"Text":"x"}},"MsgSeq":6,"MsgTimeStamp":1700000006}`},
		{name: "unknown members, in their order", sent: `{"z":1,"a":{"b":[]},"":null,` + begin + `"MsgSeq":7,"MsgTimeStamp":1700000007,"é":true,"z":2}`},
		{name: "nested and similar names", sent: `{` + begin + `"MSGSEQ":99,"msgseq":98,"MsgBody":[{"MsgSeq":85,"IsPlaceMsg":1,"GroupId":"g"}],"MsgSeq":8,"MsgTimeStamp":1700000008}`},
		{name: "escapes as they came", sent: `{` + begin + `"MsgBody":[{"T":"\/ \\\" \ud83d\ude00 😀 \uD83D"}],"MsgSeq":9,"MsgTimeStamp":1700000009}`},
		{
			name: "white space", sent: "{ " + begin + " \"MsgBody\" :\t[ {\"T\" : \"white  space\\n\"} ],\r\n \"MsgSeq\" : 10 , \"MsgTimeStamp\":1700000010 }",
			line: `{"GroupId":"@TGS#1",` + begin + `"MsgBody":[{"T":"white  space\n"}],"MsgSeq":10,"MsgTimeStamp":1700000010}`,
		},
		{
			name: "a GroupId of its own", sent: `{` + begin + `"GroupId":"@TGS#1","MsgSeq":11,"MsgTimeStamp":1700000011}`,
			line: `{` + begin + `"GroupId":"@TGS#1","MsgSeq":11,"MsgTimeStamp":1700000011}`,
		},
		{
			name: "bytes that are not UTF-8", sent: `{` + begin + `"MsgBody":[{"T":"a` + "\xff\xc3(" + `b"}],"MsgSeq":12,"MsgTimeStamp":1700000012}`,
			line: `{"GroupId":"@TGS#1",` + begin + `"MsgBody":[{"T":"a` + "\uFFFD\uFFFD(" + `b"}],"MsgSeq":12,"MsgTimeStamp":1700000012}`, repaired: true,
		},
		{name: "a long line", sent: `{` + begin + `"MsgBody":[{"T":"` + strings.Repeat("長い", 4000) + `"}],"MsgSeq":13,"MsgTimeStamp":1700000013}`},
	}
}

func TestArchive_LinesAreWhatTheServiceSent(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]chatemu.Quirks{"as it is": {}, "pretty-printed pages": {PrettyEvery: 1}, "pages cut by bytes": {PageBytes: 1 << 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				s := newSite(t, world.Options{Chat: chatemu.Options{Quirks: quirks}})
				stream := chat.Stream{GroupID: "@TGS#1"}
				must(t, s.Chat.AddGroup(chatemu.Group{ID: stream.GroupID}))
				var want []string
				repaired := int64(0)
				for _, e := range elements() {
					must(t, s.Chat.Append(stream, chatemu.Message{Element: json.RawMessage(e.sent), Time: 1700000000}))
					if e.line == "" {
						e.line = `{"GroupId":"@TGS#1",` + e.sent[1:]
					}
					if e.repaired {
						repaired++
					}
					want = append(want, e.line)
				}
				s.tick(stream)
				metas, lines := s.chain(stream)
				if len(lines) != len(want) || len(metas) != 1 {
					t.Fatalf("%d lines in %d chunks, want %d in one", len(lines), len(metas), len(want))
				}
				for i, line := range lines {
					if diff := cmp.Diff(want[i], line); diff != "" {
						t.Errorf("%s (-want +got):\n%s", elements()[i].name, diff)
					}
				}
				if m := metas[0]; m.Repaired != repaired || m.Messages != int64(len(want)) || m.TsMin != 1700000001 || m.TsMax != 4294967295 {
					t.Errorf("metadata %+v", m)
				}
			})
		})
	}
}

// Chunks are gzip of NDJSON as they lie in the bucket, with their metadata as HTTP has it.
func TestArchive_ChunkIsStoredAsDocumented(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{Env: map[string]string{"COS_PREFIX": "app one"}})
		if _, err := s.once(chat.Stream{GroupID: "@TGS#1"}); err == nil || !strings.Contains(err.Error(), "COS_PREFIX") {
			t.Errorf("a prefix with a space was taken: %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{Env: map[string]string{"COS_PREFIX": "apps/one"}})
		stream := s.Topic("@TGS#_@TGS#c 1", "@TGS#_@TGS#c 1@TOPIC#_t", 60)
		s.tick(stream)
		key := layout.Chunk(stream, 1)
		if want := "data/gid=.40TGS.23_.40TGS.23c.201/tid=.40TGS.23_.40TGS.23c.201.40TOPIC.23_t/0000000001.ndjson.gz"; key != want {
			t.Errorf("key %s, want %s", key, want)
		}
		var stored []string
		for _, r := range s.COS.Log() {
			if strings.HasPrefix(r.Key, "apps/one/data/") && r.Method == "PUT" {
				stored = append(stored, r.Key)
			}
		}
		if diff := cmp.Diff([]string{"apps/one/" + key}, stored); diff != "" {
			t.Errorf("chunks (-want +got):\n%s", diff)
		}
		body, object, err := s.Store.Get(t.Context(), key)
		must(t, err)
		names := []string{"format", "lo", "hi", "messages", "system", "recalled", "placeholders", "malformed", "expired", "absent", "repaired", "links", "ts-min", "ts-max", "raw-bytes", "raw-sha256", "sha256", "run", "request-id", "writer"}
		for _, name := range names {
			if object.Metadata[name] == "" {
				t.Errorf("metadata lacks %s", name)
			}
			delete(object.Metadata, name)
		}
		if len(object.Metadata) > 0 {
			t.Errorf("more metadata than is documented: %v", object.Metadata)
		}
		if !bytes.HasPrefix(body, []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0}) {
			t.Errorf("the chunk begins with % x: it has a name or a time", body[:10])
		}
		s.manifests(stream)
	})
}

// manifests checks what the first manifest and genesis of a stream's first run say.
func (s *site) manifests(stream chat.Stream) {
	s.t.Helper()
	body, _, err := s.Store.Get(s.t.Context(), layout.Genesis(stream))
	must(s.t, err)
	genesis, err := archive.ParseGenesis(body)
	must(s.t, err)
	if genesis.Stream() != stream || genesis.SDKAppID != world.SDKAppID || genesis.FirstLo != 1 || genesis.Head != 60 || genesis.CreateTime != 1426976500 {
		s.t.Errorf("genesis %+v", genesis)
	}
	body, _, err = s.Store.Get(s.t.Context(), layout.Manifest(stream, 1))
	must(s.t, err)
	m, err := archive.ParseManifest(body)
	must(s.t, err)
	if m.GroupID != stream.GroupID || m.TopicID != stream.TopicID || m.Lo != 1 || m.Hi != 60 || m.Head != 60 || m.Status != archive.StatusComplete ||
		m.Totals.Chunks != 1 || m.Totals.Sum() != 60 || m.Previous.Key != layout.Genesis(stream) || m.StartedAt.After(m.FinishedAt) || m.Run == "" {
		s.t.Errorf("manifest %+v", m)
	}
	if batches := s.Logs.Batches(); batches[0]["manifest_sha256"] != s.state(stream).ManifestAfter.SHA256 {
		s.t.Errorf("the log line of the batch does not anchor the manifest: %v", batches[0])
	}
}

// What is sent with a chunk keeps it write-once and whole.
func TestArchive_IsWrittenWithTheDocumentedHeaders(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := make(map[string]http.Header)
		s := newSite(t, world.Options{Wrap: func(service string, next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if service == "cos" && r.Method == http.MethodPut {
					mu.Lock()
					seen[strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 2)[0]] = r.Header.Clone()
					mu.Unlock()
				}
				next.ServeHTTP(w, r)
			})
		}})
		s.tick(s.Group("@TGS#1", 30))
		mu.Lock()
		defer mu.Unlock()
		for folder, want := range map[string][]string{
			"data": {"application/gzip", "true"}, "manifest": {"application/json", "true"}, "state": {"application/json", ""},
		} {
			h := seen[folder]
			got := []string{h.Get("Content-Type"), h.Get("X-Cos-Forbid-Overwrite")}
			if diff := cmp.Diff(want, got); diff != "" || h.Get("Content-Md5") == "" || h.Get("Content-Encoding") != "" {
				t.Errorf("%s/: headers %v (-want +got):\n%s", folder, h, diff)
			}
		}
	})
}

// A manifest lists 500 chunks at most: it is written as soon as there are so many, and the run's last one ends it.
func TestArchive_ManifestIsWrittenAsSoonAsItIsFull(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, world.Options{TimeLimit: 10 * time.Minute, Env: map[string]string{"EXPORT_SPAN": "1"}})
		stream := s.Group("@TGS#1", 510)
		s.tick(stream)
		if err := s.sound(stream); err != nil {
			t.Error(err)
		}
		var got []string
		for _, lo := range []chat.Seq{1, 501} {
			body, _, err := s.Store.Get(t.Context(), layout.Manifest(stream, lo))
			must(t, err)
			m, err := archive.ParseManifest(body)
			must(t, err)
			got = append(got, fmt.Sprint(m.Status, " ", m.Lo, "-", m.Hi, " ", m.Totals.Chunks))
		}
		if diff := cmp.Diff([]string{"partial 1-500 500", "complete 501-510 10"}, got); diff != "" {
			t.Errorf("manifests (-want +got):\n%s", diff)
		}
		var order []string
		for _, r := range s.COS.Log() {
			if r.Method == http.MethodPut && r.Status == http.StatusOK && !strings.HasPrefix(r.Key, "state/") {
				order = append(order, r.Key)
			}
		}
		at := slices.Index(order, layout.Manifest(stream, 1))
		if before := slices.Index(order, layout.Chunk(stream, 500)); at < before || at > before+3 {
			t.Errorf("the first manifest was write %d, the 500th chunk %d", at, before)
		}
	})
}
