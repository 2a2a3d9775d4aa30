package view

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/internal/panics"
	"chatexport/scripts/chatexport/internal/pages"
	"chatexport/scripts/chatexport/internal/target"
)

// fresh is how old what is known of a conversation may be before its newest objects are looked for again.
const fresh = 10 * time.Second

// server serves one archive's pages.
type server struct {
	store  target.Store
	reader *conversation.Reader
	pages  *pages.Pages
	files  *files
	where  string // the archive, for people
	source string // how commands name the archive: --dir and the like
	zone   *time.Location

	once  sync.Once // facts are read when they are needed first
	facts map[chat.Stream]chat.Facts

	mu      sync.Mutex
	streams []chat.Stream
	listed  time.Time
}

// handler routes. Everything behind it has passed the guard.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page(s.list))
	mux.HandleFunc("GET "+talkPath+"{gid}/{tid}/{$}", s.page(s.talk))
	mux.HandleFunc("GET "+talkPath+"{gid}/{tid}/"+jumpName, s.page(s.jump))
	mux.HandleFunc("GET "+talkPath+"{gid}/{tid}/"+proofName, s.page(s.proof))
	mux.HandleFunc("GET "+searchPath, s.page(s.search))
	mux.HandleFunc("GET "+filePath+"{sha}", s.page(s.file))
	mux.HandleFunc("GET "+stylePath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pages.Style()) // who left needs none
	})
	mux.HandleFunc("GET /", s.page(func(*visit) error { return errNoPage }))
	return mux
}

// visit is one request.
type visit struct {
	w     *answer
	r     *http.Request
	ctx   context.Context //nolint:containedctx // it is the request's, and lives no longer
	links links
	zone  *time.Location
}

// answer remembers whether anything was sent.
type answer struct {
	http.ResponseWriter
	begun bool
}

// Write implements io.Writer.
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// wrong is what a person did, or what is not there: it has a status and a text.
type wrong struct {
	status int
	text   string
}

func (e *wrong) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &wrong{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// errNoPage means that there is no such page.
var errNoPage error = &wrong{http.StatusNotFound, "There is no such page."}

// page makes a handler of what draws a page. What it fails with is told in a page, too.
func (s *server) page(draw func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: &answer{ResponseWriter: w}, r: r, ctx: r.Context(), zone: s.zone}
		v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err := panics.Caught(func() error {
			if tz := r.FormValue("tz"); tz != "" {
				zone, err := target.Zone(tz)
				if err != nil {
					return &wrong{http.StatusBadRequest, err.Error()}
				}
				v.links.zone, v.zone = tz, zone
			}
			return draw(v)
		})
		if err == nil || v.ctx.Err() != nil {
			return
		}
		status, title := http.StatusBadGateway, "The archive could not be read"
		if told, ok := errors.AsType[*wrong](err); ok {
			status, title = told.status, "That did not work"
		} else if errors.Is(err, catalog.ErrNoArchive) || errors.Is(err, conversation.ErrNoSeq) {
			status, title = http.StatusNotFound, "Not in this archive"
		}
		if v.w.begun {
			return // a page that was cut off shows that by itself
		}
		v.w.WriteHeader(status)
		_ = s.pages.Say(v.w, pages.Message{Frame: s.frame(v, title), Text: err.Error(), Back: v.links.home()}) // who left needs none
	}
}

func (s *server) frame(v *visit, title string) pages.Frame {
	return pages.Frame{
		Title: title, Style: stylePath, Home: v.links.home(), Where: s.where, Zone: v.zone,
		Find: &pages.Find{Action: searchPath, Zone: v.links.zone},
	}
}

// stream is the one that the request's path names.
func (v *visit) stream() (chat.Stream, error) {
	stream, ok := parseStream(v.r.PathValue("gid") + "/" + v.r.PathValue("tid") + "/")
	if !ok {
		return stream, errNoPage
	}
	return stream, nil
}

// of returns what the sweeps saw of a stream.
func (s *server) of(ctx context.Context, stream chat.Stream) chat.Facts {
	s.once.Do(func() { s.facts = readFacts(ctx, s.store) })
	f := s.facts[stream]
	if f.Type == "" && stream.TopicID != "" {
		f.Type = "topic"
	}
	return f
}

// serve serves until ctx ends.
func serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // pages under way end with their context
	defer stop()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// tempDir is where files are kept for a moment.
func tempDir() (string, error) { return os.MkdirTemp("", "chatexport-view-") }
