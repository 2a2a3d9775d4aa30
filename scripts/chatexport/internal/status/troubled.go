package status

import (
	"context"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// Trouble is a stream that is stuck or failing.
type Trouble struct {
	Stream chat.Stream
	// Hopeless says why another try cannot help before somebody has mended something; empty otherwise.
	Hopeless string
}

// Troubled returns the streams of the archive that are stuck or failing.
func Troubled(ctx context.Context, t *target.Target, console *cli.Console) ([]Trouble, error) {
	r, err := look(ctx, t, options{now: time.Now, parallel: defaultParallel}, nil, console)
	if err != nil {
		return nil, err
	}
	var troubles []Trouble
	for i := range r.Streams {
		s := &r.Streams[i]
		if s.Verdict != Stuck && s.Verdict != Failing {
			continue
		}
		trouble := Trouble{Stream: s.Stream}
		switch s.Status {
		case archive.StatusDamaged, archive.StatusNoMetadata, archive.StatusMismatch, archive.StatusRecreated:
			trouble.Hopeless = s.Status + ": " + s.Advice
		}
		troubles = append(troubles, trouble)
	}
	return troubles, nil
}

// Look judges all streams of the archive; with askChat it asks Chat for the newest messages, too.
func Look(ctx context.Context, t *target.Target, askChat bool, console *cli.Console) (Result, error) {
	return look(ctx, t, options{now: time.Now, parallel: defaultParallel, chat: askChat}, nil, console)
}
