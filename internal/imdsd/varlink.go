package imdsd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

const (
	service = "io.systemd.InstanceMetadata." // interface, as "varlinkctl introspect" prints it

	// replyLimit bounds a reply, bytes: launch data has at most 16 KiB.
	replyLimit = 1 << 20
)

// call makes one Varlink call (varlink.org): a JSON object in each direction,
// ended by a NUL.
func call(ctx context.Context, socket, method string, in, out any) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("cannot reach systemd-imdsd: %w", err)
	}
	defer c.Close()
	if at, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(at); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	question, err := json.Marshal(map[string]any{"method": service + method, "parameters": in})
	if err != nil {
		return err
	}
	if _, err := c.Write(append(question, 0)); err != nil {
		return fmt.Errorf("cannot ask systemd-imdsd: %w", err)
	}
	text, err := bufio.NewReader(io.LimitReader(c, replyLimit)).ReadBytes(0)
	if err != nil {
		return fmt.Errorf("cannot read systemd-imdsd's answer: %w", err)
	}
	return decode(bytes.TrimSuffix(text, []byte{0}), out)
}

func decode(text []byte, out any) error {
	reply := struct {
		Error      string          `json:"error"`
		Parameters json.RawMessage `json:"parameters"`
	}{}
	if err := json.Unmarshal(text, &reply); err != nil {
		return fmt.Errorf("cannot read systemd-imdsd's answer: %w", err)
	}
	if reply.Error != "" {
		return &Error{Name: strings.TrimPrefix(reply.Error, service)}
	}
	if err := json.Unmarshal(reply.Parameters, out); err != nil {
		return fmt.Errorf("cannot read systemd-imdsd's answer: %w", err)
	}
	return nil
}
