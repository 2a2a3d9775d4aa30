package target

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"chatexport/internal/chat"
	"chatexport/scripts/chatexport/internal/cli"
)

// GroupHelp is the part of help texts that says how a group is named.
const GroupHelp = `GROUP is a group id, or a topic id, which names its group (@TGS#_group@TOPIC#_topic). Quote it: ids have a #.`

const topicMark = "@TOPIC#"

// Stream reads a group or topic id from the command line.
func Stream(id string) (chat.Stream, error) {
	s := chat.Stream{GroupID: id}
	if i := strings.Index(id, topicMark); i > 0 {
		s = chat.Stream{GroupID: id[:i], TopicID: id}
	}
	if err := s.Validate(); err != nil {
		return s, cli.Usage(fmt.Errorf("%q: %w", id, err))
	}
	return s, nil
}

// Streams reads several of them.
func Streams(ids []string) ([]chat.Stream, error) {
	var streams []chat.Stream
	for _, id := range ids {
		s, err := Stream(id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(streams, s) {
			streams = append(streams, s)
		}
	}
	return streams, nil
}

// Match returns those of known that the ids name, all of them if there are no ids. A community's id names its topics,
// too. It is a usage error if an id names none.
func Match(known []chat.Stream, ids []string) ([]chat.Stream, error) {
	if len(ids) == 0 {
		return known, nil
	}
	var found []chat.Stream
	var problems []error
	for _, id := range ids {
		n := len(found)
		for _, s := range known {
			if s.GroupID == id || s.TopicID == id {
				found = append(found, s)
			}
		}
		if len(found) == n {
			problems = append(problems, fmt.Errorf("nothing is archived of %q", id))
		}
	}
	if len(problems) > 0 {
		return nil, cli.Usage(errors.Join(problems...))
	}
	slices.SortFunc(found, func(a, b chat.Stream) int {
		return strings.Compare(a.GroupID+"\x00"+a.TopicID, b.GroupID+"\x00"+b.TopicID)
	})
	return slices.Compact(found), nil
}
