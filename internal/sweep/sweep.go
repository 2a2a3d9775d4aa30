// Package sweep keeps a whole app archived: it finds, over all groups and topics, what has something new, and has it
// exported in order of urgency.
//
// It owns the listing of the app, the plan, the lane that works through it, what is remembered from sweep to sweep, and
// the report. It must never take a stream for done because it was planned, believe anything about a stream's archive
// (that is package export's, which checks every hint), or know HTTP, an SDK or the platform. README.md tells the life of
// a sweep.
package sweep

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/export"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

const (
	// listPage is the most group ids of one call (Chat documentation, get_appid_group_list).
	listPage = 10000
	// infoPage is the most groups of one call (Chat documentation, get_group_info).
	infoPage = 50
	// ListQPS is the calls a second that the service allows for the list of groups (same page).
	ListQPS = 1
)

// Directory lists what the app has. Every method makes one attempt: the sweep paces and repeats calls by the class of
// the error. Errors match the conditions of package chat. A directory is safe for concurrent use.
type Directory interface {
	// GroupIDs returns one page of at most limit ids, of one type or of all if groupType is empty, and where the next
	// page begins; 0 is the beginning, and the end. A page may be empty, or repeat ids of an earlier one.
	GroupIDs(ctx context.Context, next uint64, limit int, groupType string) (ids []string, following uint64, err error)
	// GroupInfos describes up to infoPage groups, one for each id in the same order. A verdict on one group is in its Err;
	// an error of the call that is about a group (chat.ErrGone and the like) means that one of them spoils it for all.
	GroupInfos(ctx context.Context, ids []string) ([]chat.Facts, error)
	// Topics returns all topics of a community. chat.ErrUnsupported means that it has none, or that they are refused.
	Topics(ctx context.Context, groupID string) ([]chat.Facts, error)
}

// Engine advances one stream by one batch: package export's. It is safe for concurrent use by different streams.
type Engine interface {
	// Run does what it can until req.Deadline, and repeats calls itself. With Keep set it publishes nothing: the
	// continuation is in the result. The result is valid with an error, too; after an error the caller decides whether
	// the stream is tried again, which is always safe.
	Run(ctx context.Context, req export.Request) (export.Result, error)
}

// Publisher hands a sweep on to another invocation. It repeats transient failures itself; after an error the event may
// have been accepted all the same.
type Publisher interface {
	// ContinueSweep publishes the event that goes on with a sweep: spec and next are to come back in Sweeper.Run. A copy
	// of the event does no harm.
	ContinueSweep(ctx context.Context, spec Spec, next []byte) error
}

// Settings bound a sweep.
type Settings struct {
	QPS         float64       // calls a second (CHAT_QPS)
	MaxHops     int           // batches of one sweep or lane (EXPORT_MAX_HOPS)
	Concurrency int           // streams side by side, and calls in flight (CHAT_CONCURRENCY)
	Retention   time.Duration // how long the service keeps messages (CHAT_RETENTION_DAYS)
}

// Sweeper does batches of sweeps and of their lanes. Its fields are set once, before the first batch.
type Sweeper struct {
	Directory Directory
	Store     objstore.Store       // objects below state/sweep/
	Writes    *objstore.WriteTimes // shared by all batches of a process
	Engine    Engine
	Publisher Publisher
	Caller    *retry.Caller  // of the app's Chat API
	ListPace  *retry.Limiter // of the list of groups, ListQPS a second
	Settings  Settings
}

// Request is one batch of a sweep or a lane.
type Request struct {
	Owner     string // names the event in leases, as in export.Request
	RequestID string
	Deadline  time.Time
	Log       zerolog.Logger
	// Observe is told of every batch of a stream, for logs; calls may come from several goroutines, one at a time.
	Observe func(zerolog.Logger, export.Result, error)
}

// Outcome says how a batch of a sweep or a lane ended. Every outcome is a success for the platform.
type Outcome string

// The outcomes of a batch.
const (
	Complete       Outcome = "complete"        // the sweep found nothing to do, or the lane is at its end
	Continued      Outcome = "continued"       // handed on to the next batch
	Planned        Outcome = "planned"         // the lane has been started
	GaveWay        Outcome = "gave_way"        // the lane has had its turn; a sweep that waited begins
	AlreadyRunning Outcome = "already_running" // the sweep under way exports all that was asked for
	Waiting        Outcome = "waiting"         // the sweep under way does not; this one gets its turn
	LostRace       Outcome = "lost_race"       // another delivery did this batch and goes on
	Lost           Outcome = "lost"            // the continuation names nothing that exists; the next sweep sees to it
)

// Summary is what a batch did.
type Summary struct {
	Sweep   string
	Outcome Outcome
	Lane    bool // of the lane, not of the sweep itself
	Batch   int
	Tally   Tally // the lane's: of this batch alone
	Groups  int   // a sweep's: seen so far
	Streams Streams
	Calls   int64
	Elapsed time.Duration
}
