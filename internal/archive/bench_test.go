package archive_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// benchElements are short messages in a mix of texts, which is what most groups hold.
func benchElements(tb testing.TB, n int) []chat.Element {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"晚上好", "会议", "今天", "三点", "改到", "ok", "thanks", "see", "you", "tomorrow", "项目", "没问题", "收到", "the", "report", "😀"}
	elements := make([]chat.Element, n)
	for i := range elements {
		text := ""
		for range 3 + random.IntN(20) {
			text += words[random.IntN(len(words))] + " "
		}
		raw := fmt.Sprintf(`{"From_Account":"user%d","IsPlaceMsg":0,"MsgBody":[{"MsgContent":{"Text":"%s"},"MsgType":"TIMTextElem"}],"MsgPriority":2,"MsgRandom":%d,"MsgSeq":%d,"MsgTimeStamp":%d}`,
			random.IntN(50), text, random.Uint32(), i+1, 1700000000+7*i)
		e, err := chat.ScanElement([]byte(raw))
		if err != nil {
			tb.Fatal(err)
		}
		elements[i] = e
	}
	return elements
}

func BenchmarkChunkWriter(b *testing.B) {
	elements := benchElements(b, 20000)
	b.ReportAllocs()
	var chunk archive.Chunk
	for b.Loop() {
		w := archive.NewChunkWriter(chat.Stream{GroupID: "@TGS#15ERQPAER"}, 1)
		if err := w.Append(20000, elements); err != nil {
			b.Fatal(err)
		}
		var err error
		if chunk, err = w.Close("run", "request", "writer"); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(chunk.Meta.RawBytes)
	b.ReportMetric(float64(len(chunk.Body))/float64(chunk.Meta.RawBytes), "ratio")
}
