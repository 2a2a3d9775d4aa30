package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// Getter is what Seen reads from.
type Getter interface {
	Get(ctx context.Context, key string) ([]byte, objstore.Object, error)
}

// Seen gives visit what the newest sweeps saw of groups and topics, older before newer: names and types, for people. All of it is
// a hint: where there was no sweep, or its objects are not readable or not in this copy, there is nothing. The error is the
// store's.
func Seen(ctx context.Context, store Getter, visit func(chat.Facts)) error {
	body, _, err := store.Get(ctx, layout.SweepLatest())
	if lost(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", layout.SweepLatest(), err)
	}
	var p pointer
	if json.Unmarshal(body, &p) != nil || p.check() != nil { // it is lost, too
		p = pointer{}
	}
	ids := map[string]bool{p.Base.ID: true, p.Current.ID: true}
	for _, id := range slices.Sorted(maps.Keys(ids)) { // ids begin with a time
		if !validID(id) {
			continue
		}
		if err := seenBy(ctx, store, id, visit); err != nil {
			return err
		}
	}
	return nil
}

func seenBy(ctx context.Context, store Getter, id string, visit func(chat.Facts)) error {
	for n := 0; ; n++ {
		key := layout.SweepInfo(id, n)
		body, _, err := store.Get(ctx, key)
		if errors.Is(err, objstore.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = seenIn(body, visit)
		}
		if err != nil && !lost(err) {
			return fmt.Errorf("read %s: %w", key, err)
		}
	}
}

// seenIn reads one part.
func seenIn(body []byte, visit func(chat.Facts)) error {
	_, lines, err := openLines[sightLine](body)
	if err != nil {
		return err
	}
	for line, err := range lines {
		if err != nil {
			return err
		}
		visit(line.Facts)
		for _, topic := range line.Topics {
			visit(topic.Facts)
		}
	}
	return nil
}
