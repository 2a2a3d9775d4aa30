package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	mediaemu "chatexport/internal/emulator/media"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/emulated"
)

const (
	smallFile = 200_000
	largeFile = 100 << 20 // the largest that the service takes, and MEDIA_MAX_BYTES
	// fileLatency is that of services in the same region.
	fileLatency = 20 * time.Millisecond
)

func atFiles() setting {
	return setting{Latency: fileLatency, QPS: 200, Memory: smallest, Limit: longLimit}
}

// withFiles fills a group with a message for each file, all of the last hour: of old ones only a sample would be tried. It
// notes their URLs.
func withFiles(s chat.Stream, urls *[]string, sizes []int64) emulated.Fill {
	return func(app *chatemu.Server, host *mediaemu.Server) error {
		if err := app.AddGroup(chatemu.Group{ID: s.GroupID}); err != nil {
			return err
		}
		began := time.Now().Add(-time.Hour).Unix()
		messages := make([]chatemu.Message, len(sizes))
		for i, size := range sizes {
			f := host.Add(mediaemu.Spec{Content: mediaemu.Generated(uint64(i), size), Type: "image/jpeg"}) //nolint:gosec // counts up
			*urls = append(*urls, f.URL())
			file := chatemu.FileElem(chatemu.Media{URL: f.URL(), Size: size, Name: strconv.Itoa(i) + ".jpg"})
			messages[i] = chatemu.Message{Time: began, Body: chatemu.MsgBody(file)}
		}
		return app.Append(s, messages...)
	}
}

// small archives files of the usual size in one batch, and copies them in bare loops.
func (b *bencher) small(ctx context.Context) (rows []figures, err error) {
	stream := chat.Stream{GroupID: "bench"}
	var urls []string
	b.say("files: %d of %s", b.files, cli.Bytes(smallFile))
	st, err := b.stand(ctx, atFiles(), withFiles(stream, &urls, slices.Repeat([]int64{smallFile}, b.files)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	f, err := st.measure(ctx, "chatexport", stream)
	if err != nil {
		return nil, err
	}
	b.say("reference: %d files", b.files)
	r, err := measureReference(ctx, reference{Files: urls, Bucket: bucket{
		Endpoint: st.env["COS_ENDPOINT"], SecretID: st.role.SecretID, SecretKey: st.role.SecretKey, Token: st.role.Token,
	}})
	return []figures{f, r}, err
}

// heavy shows that memory and the temporary folder are bounded, however large files are and however many.
func (b *bencher) heavy(ctx context.Context) (rows []figures, err error) {
	const few = 100
	for _, large := range []int{0, 1, 8} {
		sizes := append(slices.Repeat([]int64{smallFile}, few), slices.Repeat([]int64{largeFile}, large)...)
		f, err := b.ticked(ctx, fmt.Sprintf("%d small, %d large", few, large), "on", 1, sizes)
		if err != nil {
			return nil, err
		}
		rows = append(rows, f...)
	}
	return rows, nil
}

// ticks counts what files add to the requests: nothing where there are none, and nothing once all are stored.
func (b *bencher) ticks(ctx context.Context) (rows []figures, err error) {
	const few = 100
	for _, sizes := range [][]int64{nil, slices.Repeat([]int64{smallFile}, few)} {
		for _, media := range []string{"off", "on"} {
			f, err := b.ticked(ctx, fmt.Sprintf("%s, EXPORT_MEDIA %s", cli.Plural(len(sizes), "file"), media), media, 2, sizes)
			if err != nil {
				return nil, err
			}
			rows = append(rows, f...)
		}
	}
	return rows, nil
}

// ticked archives a group with files of these sizes, or with texts where there are none. All ticks but the first are idle.
func (b *bencher) ticked(ctx context.Context, name, media string, ticks int, sizes []int64) (rows []figures, err error) {
	const texts = 100
	b.say("%s", name)
	stream := chat.Stream{GroupID: "bench"}
	var urls []string
	fill := withFiles(stream, &urls, sizes)
	if len(sizes) == 0 {
		fill = func(app *chatemu.Server, _ *mediaemu.Server) error { return repeat(app, stream, b.log, texts) }
	}
	s := atFiles()
	s.Env = map[string]string{"EXPORT_MEDIA": media}
	st, err := b.stand(ctx, s, fill)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	for range ticks {
		f, err := st.measure(ctx, name, stream)
		if err != nil {
			return nil, err
		}
		rows = append(rows, f)
		name += ", idle tick"
	}
	return rows, nil
}

// printFiles writes a section as a table of what came of files.
func (s *section) printFiles(w io.Writer, _ int) {
	rows := [][]string{{"", "files", "bytes", "seconds", "files/s", "CPU ms/file", "peak MiB", "most in /tmp MiB", "left in /tmp", "batches"}}
	for i := range s.Rows {
		f := &s.Rows[i]
		count, r := max(1, float64(f.Files)), newRow(*f, 0)
		rows = append(rows, []string{
			f.Name, cli.Count(f.Files), cli.Bytes(f.FileBytes), decimal(r.Seconds, 1), decimal(count/r.Seconds, 1),
			decimal(f.CPU.Seconds()*1000/count, 2), decimal(r.PeakMiB, 1), decimal(r.TemporaryMiB, 1), cli.Bytes(f.Left), cli.Count(f.Batches),
		})
	}
	_, _ = fmt.Fprintf(w, "\n%s: %s\n%s", s.Name, s.Title, cli.Table(rows, 0))
	if len(s.Rows) == 2 && s.Rows[1].Name == "reference" {
		_, _ = fmt.Fprintf(w, "against the reference: %.2f x the time\n", s.Rows[0].Elapsed.Seconds()/s.Rows[1].Elapsed.Seconds())
	}
}

// printRequests writes a section as a table of requests.
func (s *section) printRequests(w io.Writer, _ int) {
	rows := [][]string{{"", "Chat calls", "file GETs", "COS PUTs", "COS GETs", "COS HEADs"}}
	for i := range s.Rows {
		f := &s.Rows[i]
		rows = append(rows, []string{
			f.Name, cli.Count(f.Calls), cli.Count(f.FileRequests), cli.Count(f.Requests[cosemu.OpPut]), cli.Count(f.Requests[cosemu.OpGet]),
			cli.Count(f.Requests[cosemu.OpHead]),
		})
	}
	_, _ = fmt.Fprintf(w, "\n%s: %s\n%s", s.Name, s.Title, cli.Table(rows, 0))
}
