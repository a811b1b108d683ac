package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"bootswain/image"
	"bootswain/internal/situation"
)

// ImageCheckOptions say how an image is checked.
type ImageCheckOptions struct {
	Root   string // of the image's file system
	Public bool   // the image is to be given to others: its own identity must not be in it
	JSON   bool
}

// ImageCheck says what must not be in an image. What it finds is a failure; the
// image's own identity in an image for others is refused, for nobody can take it
// back.
func ImageCheck(ctx context.Context, o ImageCheckOptions, stdout io.Writer) error {
	found, err := image.Check(ctx, o.Root)
	if o.JSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(found); err != nil {
			return err
		}
	} else {
		for _, f := range found.Findings {
			fmt.Fprintln(stdout, f)
		}
		for _, path := range found.Partly {
			fmt.Fprintf(stdout, "note: %s: only its first %d MiB were read\n", path, image.MaxRead>>20)
		}
	}
	if err != nil {
		return err
	}
	return verdict(found, o, stdout)
}

func verdict(found image.Found, o ImageCheckOptions, stdout io.Writer) error {
	own, wrong := 0, 0
	for _, f := range found.Findings {
		if f.Own {
			own++
		} else {
			wrong++
		}
	}
	read := count(found.Files, "file")
	switch {
	case own > 0 && o.Public:
		return &situation.Situation{Word: situation.Refused, Subject: "image",
			Text: fmt.Sprintf("it holds its own identity (%s), and whoever has it can open what is sealed to it; %s more in %s.", image.IdentityPath, count(wrong, "finding"), read),
			Next: "remove the identity, and use another key source, or keep the image to yourselves"}
	case wrong > 0:
		return &situation.Situation{Word: situation.Failed, Subject: "image",
			Text: fmt.Sprintf("%s in %s.", count(wrong, "finding"), read),
			Next: "bootswain image prepare removes what the machine left; remove the rest, and replace what others may have seen"}
	case o.JSON:
		return nil
	case own > 0:
		fmt.Fprintf(stdout, "clean: %s; only its own identity is in it, so it must not become public\n", read)
	default:
		fmt.Fprintf(stdout, "clean: %s\n", read)
	}
	return nil
}
