package resume

import (
	"context"
	"errors"
	"slices"

	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/event"
	"chatexport/internal/sweep"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/target"
)

// readable returns what the function's own parser would say to a task: nothing is handed over that it would reject.
func readable(task event.Task) error {
	body, err := task.Encode()
	if err != nil {
		return err
	}
	if task, err = event.ParseTask(body); err == nil && len(task.Sweep) > 0 {
		_, err = sweep.ParseSpec(task.Sweep)
	}
	return err
}

// existing returns the tasks without the streams that neither Chat nor the archive knows, which are left out.
func existing(ctx context.Context, t *target.Target, tasks []event.Task, r *result) ([]event.Task, error) {
	var named []chat.Stream
	for _, task := range tasks {
		named = append(named, task.Streams()...)
	}
	client, err := t.Chat()
	if err != nil {
		return nil, err
	}
	infos, failed := pending.Infos(ctx, pending.NewPaced(client, t.Config.ChatQPS), named)
	unknown := map[chat.Stream]bool{}
	for i, s := range named {
		if failed == nil && !errors.Is(infos[i].Err, chat.ErrGone) || unknown[s] {
			continue
		}
		archived, err := isArchived(ctx, t.Store, s)
		switch {
		case err != nil:
			return nil, err
		case !archived && failed != nil:
			return nil, failed // it may well be there
		case !archived:
			unknown[s] = true
			r.LeftOut = append(r.LeftOut, item{
				GroupID: s.GroupID, TopicID: s.TopicID,
				Reason: "Chat knows no such group or topic, and nothing is archived of it: is the id right? --force hands it over all the same",
			})
		}
	}
	var kept []event.Task
	for _, task := range tasks {
		task.Groups = slices.DeleteFunc(slices.Clone(task.Groups), func(s chat.Stream) bool { return unknown[s] })
		if len(task.Sweep) > 0 || slices.ContainsFunc(task.Streams(), func(s chat.Stream) bool { return !unknown[s] }) {
			kept = append(kept, task)
		}
	}
	return kept, nil
}

func isArchived(ctx context.Context, store target.Store, s chat.Stream) (bool, error) {
	state, err := catalog.State(ctx, store, s)
	if state != nil || err != nil && catalog.Damaged(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	_, err = catalog.Genesis(ctx, store, s)
	if errors.Is(err, catalog.ErrNoArchive) {
		return false, nil
	}
	return err == nil || catalog.Damaged(err), err
}
