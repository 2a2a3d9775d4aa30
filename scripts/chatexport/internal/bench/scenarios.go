package bench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/scripts/chatexport/internal/emulated"
)

const (
	// unpaced is a CHAT_QPS that never holds a call back on one machine.
	unpaced = 10_000
	// longLimit is the longest time limit of a function.
	longLimit = 900 * time.Second
	// referenceShare of the messages are enough to know the speed of a loop that waits for each page.
	referenceShare = 10
	smallest       = 128 // MB
	// largeBytes is the largest message that the service stores, 12 KB with everything around the text.
	largeBytes = 11_500
)

// options are the command's flags.
type options struct {
	messages int
	files    int
	latency  time.Duration
	quota    int
	strict   bool
	data     string
	binary   string
	only     []string
	json     bool
}

// section is one table of the benchmark.
type section struct {
	Name  string
	Title string
	show  func(*section, io.Writer, int) // the rows, with the quota
	run   func(*bencher, context.Context) ([]figures, error)
	Rows  []figures
}

func sections() []*section {
	return []*section{
		{Name: "network", Title: "with a round trip and the quota of an app", show: (*section).printMessages, run: (*bencher).network},
		{Name: "loopback", Title: "without network delay and quota", show: (*section).printMessages, run: (*bencher).loopback},
		{Name: "large", Title: "incompressible messages of 12 KB", show: (*section).printMessages, run: (*bencher).large},
		{Name: "shared", Title: "three instances, one app: each with a third of the quota, each set to the whole", show: (*section).printMessages, run: (*bencher).shared},
		{Name: "growth", Title: "one group of 10 k, 100 k and 1 M messages, and 1,000 groups of 100", show: (*section).printMessages, run: (*bencher).growth},
		{Name: "files", Title: "files of 200 kB in one batch, all services 20 ms away, beside four loops of GET and PUT", show: (*section).printFiles, run: (*bencher).small},
		{Name: "heavy", Title: "files of 200 kB and some of 100 MB, in a function of 128 MB", show: (*section).printFiles, run: (*bencher).heavy},
		{Name: "ticks", Title: "requests with and without files", show: (*section).printRequests, run: (*bencher).ticks},
	}
}

func sectionNames() []string {
	var names []string
	for _, s := range sections() {
		names = append(names, s.Name)
	}
	return names
}

// bencher does the measurements, one after the other.
type bencher struct {
	options
	log    []chatemu.Message
	folder string
	say    func(format string, args ...any)
	n      int
}

// stand starts a stand of its own for each measurement, with a folder of its own.
func (b *bencher) stand(ctx context.Context, s setting, fill emulated.Fill) (*stand, error) {
	b.n++
	return newStand(ctx, b.binary, filepath.Join(b.folder, strconv.Itoa(b.n)), s, fill)
}

// measure archives one group of n messages of the log.
func (b *bencher) measure(ctx context.Context, name string, s setting, n int, reference int) (rows []figures, err error) {
	stream := chat.Stream{GroupID: "bench"}
	b.say("%s: %d messages", name, n)
	st, err := b.stand(ctx, s, func(server *chatemu.Server, _ *mediaemu.Server) error { return repeat(server, stream, b.log, n) })
	if err != nil {
		return nil, err
	}
	defer func() {
		if failure := st.close(); err == nil {
			err = failure
		}
	}()
	f, err := st.measure(ctx, name, stream)
	if err != nil || reference == 0 {
		return []figures{f}, err
	}
	b.say("reference: %d messages", reference)
	r, err := b.reference(ctx, st, stream, reference)
	return []figures{f, r}, err
}

func (b *bencher) reference(ctx context.Context, st *stand, stream chat.Stream, n int) (figures, error) {
	return measureReference(ctx, reference{
		BaseURL: st.env["CHAT_ENDPOINT"], SecretKey: st.env["CHAT_SECRET_KEY"], GroupID: stream.GroupID, Messages: n,
	})
}

func (b *bencher) atNetwork() setting {
	return setting{Latency: b.latency, Quota: b.quota, Strict: b.strict, QPS: b.quota, Memory: smallest, Limit: longLimit}
}

func (b *bencher) network(ctx context.Context) ([]figures, error) {
	return b.measure(ctx, "chatexport", b.atNetwork(), b.messages, b.messages/referenceShare)
}

func (b *bencher) loopback(ctx context.Context) ([]figures, error) {
	const n = 200_000
	return b.measure(ctx, "chatexport", setting{QPS: unpaced, Memory: smallest, Limit: longLimit}, n, n)
}

// large pulls messages as large as the service stores them, whose text does not compress.
func (b *bencher) large(ctx context.Context) (rows []figures, err error) {
	const n = 10_000
	stream := chat.Stream{GroupID: "bench"}
	b.say("large: %d messages", n)
	st, err := b.stand(ctx, b.atNetwork(), func(server *chatemu.Server, _ *mediaemu.Server) error {
		if err := server.AddGroup(chatemu.Group{ID: stream.GroupID}); err != nil {
			return err
		}
		return server.Generate(stream, n, incompressible)
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if failure := st.close(); err == nil {
			err = failure
		}
	}()
	f, err := st.measure(ctx, "chatexport", stream)
	return []figures{f}, err
}

// incompressible depends on the seq alone, as Generate demands.
func incompressible(seq chat.Seq) chatemu.Message {
	random := rand.NewChaCha8([32]byte{byte(seq), byte(seq >> 8), byte(seq >> 16)})
	raw := make([]byte, largeBytes*3/4)
	_, _ = random.Read(raw) // never fails
	body, err := json.Marshal([]map[string]any{{"MsgType": "TIMTextElem", "MsgContent": map[string]string{"Text": base64.StdEncoding.EncodeToString(raw)}}})
	if err != nil {
		panic(err) // strings can always be encoded
	}
	return chatemu.Message{Body: body, Time: 1_100_000_000 + int64(seq)}
}

// shared lets three instances pull three groups of one app side by side.
func (b *bencher) shared(ctx context.Context) ([]figures, error) {
	const streams = 3
	var rows []figures
	for _, c := range []struct {
		name string
		qps  int
	}{{"a third each", b.quota / streams}, {"the whole each", b.quota}} {
		s := b.atNetwork()
		s.QPS, s.Instances = c.qps, streams
		f, err := b.sideBySide(ctx, c.name, s, streams, b.messages/2)
		if err != nil {
			return nil, err
		}
		rows = append(rows, f)
	}
	return rows, nil
}

func (b *bencher) sideBySide(ctx context.Context, name string, s setting, streams, each int) (f figures, err error) {
	b.say("%s: %d groups of %d messages", name, streams, each)
	var all []chat.Stream
	for i := range streams {
		all = append(all, chat.Stream{GroupID: "bench" + strconv.Itoa(i)})
	}
	st, err := b.stand(ctx, s, func(server *chatemu.Server, _ *mediaemu.Server) error {
		for _, stream := range all {
			if err := repeat(server, stream, b.log, each); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return f, err
	}
	defer func() {
		if failure := st.close(); err == nil {
			err = failure
		}
	}()
	f, err = st.measure(ctx, name, all...)
	for _, v := range st.platform.Invocations() {
		if v.Duration > 0 {
			f.Shares = append(f.Shares, float64(each)/v.Duration.Seconds())
		}
	}
	slices.Sort(f.Shares)
	return f, err
}

// growth shows that the cost of a message does not depend on how many there are.
func (b *bencher) growth(ctx context.Context) ([]figures, error) {
	s := setting{QPS: unpaced, Memory: smallest, Limit: longLimit}
	var rows []figures
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		f, err := b.measure(ctx, fmt.Sprintf("1 x %d", n), s, n, 0)
		if err != nil {
			return nil, err
		}
		rows = append(rows, f...)
	}
	f, err := b.sideBySide(ctx, "1000 x 100", s, 1000, 100)
	return append(rows, f), err
}
