package chatapi

import (
	"context"
	"fmt"

	"chatexport/internal/chat"
)

// topicRequest is the body of get_topic. The documentation gives From_Account a number's type; it is an account.
type topicRequest struct {
	GroupID     string   `json:"GroupId"`
	FromAccount string   `json:"From_Account"`
	TopicIDList []string `json:"TopicIdList,omitempty"`
}

func (c *Client) oneTopic(ctx context.Context, stream chat.Stream) (chat.Facts, error) {
	topics, x, err := c.topics(ctx, stream.GroupID, stream.TopicID)
	if err != nil {
		return chat.Facts{}, err
	}
	for _, topic := range topics {
		// An item about a failure may come without its id. Only one topic was asked for.
		if topic.TopicID == stream.TopicID || topic.TopicID == "" && topic.Err != nil && len(topics) == 1 {
			topic.Stream = stream
			return topic, topic.Err
		}
	}
	return chat.Facts{}, c.malformed(x, fmt.Errorf("%w: the topic that was asked for is not among %d", chat.ErrMalformed, len(topics)))
}

// Topics reads all topics of a community. A topic that cannot be read has its own Err.
func (c *Client) Topics(ctx context.Context, groupID string) ([]chat.Facts, error) {
	topics, _, err := c.topics(ctx, groupID)
	return topics, err
}

func (c *Client) topics(ctx context.Context, groupID string, ids ...string) ([]chat.Facts, *exchange, error) {
	answer, x, err := c.answer(ctx, topicService, "get_topic", topicRequest{
		GroupID: groupID, FromAccount: c.admin, TopicIDList: ids,
	})
	if err != nil {
		return nil, nil, err
	}
	items, err := answer.list("TopicAndSelfInfo")
	if err != nil {
		return nil, nil, c.malformed(x, err)
	}
	topics := make([]chat.Facts, len(items))
	for i, item := range items {
		if topics[i], err = c.topic(x, groupID, item); err != nil {
			return nil, nil, c.malformed(x, err)
		}
	}
	return topics, x, nil
}

func (c *Client) topic(x *exchange, groupID string, item object) (chat.Facts, error) {
	inner, err := item.member("TopicInfo")
	if err != nil {
		return chat.Facts{}, err
	}
	topic := chat.Facts{Stream: chat.Stream{GroupID: groupID, TopicID: inner.text("TopicId")}}
	failure, err := c.itemError(x, item)
	if err != nil || failure != nil {
		topic.Err = failure
		return topic, err
	}
	if topic.TopicID == "" {
		return topic, fmt.Errorf("%w: a topic without TopicId", chat.ErrMalformed)
	}
	topic.Name = inner.text("TopicName")
	return topic, inner.facts(&topic)
}
