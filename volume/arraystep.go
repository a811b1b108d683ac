package volume

import (
	"context"
	"fmt"
	"path/filepath"

	"bootswain/plan"
	"bootswain/raid"
)

// createArray joins claimed devices.
type createArray struct{ at }

func (c *createArray) String() string          { return "create array " + c.on() }
func (c *createArray) Destroys() []plan.Device { return c.all() }

func (c *createArray) Apply(ctx context.Context) error {
	if err := c.same(); err != nil {
		return err
	}
	if err := c.claimed(); err != nil {
		return err
	}
	var members []string
	blank := true
	for _, d := range c.s.Devices {
		if err := free(d.Path); err != nil {
			return err
		}
		if err := c.ownOrNone(d); err != nil {
			return err
		}
		members = append(members, d.Path)
		blank = blank && d.Content.FirstData == AllZero
	}
	err := raid.Create(ctx, c.host().Run, raid.CreateOptions{
		Path: c.arrayPath(), Name: c.s.Name, UUID: c.s.uuid(kindArray), Members: members, Reclaim: !blank,
	})
	if err != nil {
		return err
	}
	_, _, err = c.target()
	return err
}

func (a at) arrayPath() string { return filepath.Join(a.host().EBS.Dev, "md", a.s.Name) }

// assembleArray starts the array of a complete set.
type assembleArray struct{ at }

func (a *assembleArray) String() string { return "assemble array " + a.on() }

func (a *assembleArray) Apply(ctx context.Context) error {
	if err := a.same(); err != nil {
		return err
	}
	var members []string
	for _, d := range a.s.Devices {
		members = append(members, d.Path)
	}
	err := raid.Assemble(ctx, a.host().Run, raid.AssembleOptions{
		Path: a.arrayPath(), UUID: a.s.Devices[0].Content.Member.UUID, Members: members,
	})
	if err != nil {
		return err
	}
	_, _, err = a.target()
	return err
}

// stopArray stops what is left of an attempt to start an array.
type stopArray struct {
	at
	md string
}

func (s *stopArray) String() string { return fmt.Sprintf("stop %s, which did not start", s.md) }

func (s *stopArray) Apply(ctx context.Context) error {
	return raid.Stop(ctx, s.host().Run, s.host().EBS.Sys, s.md)
}

// takeDown removes what is left of a set that lost devices.
type takeDown struct {
	at
	what string
}

func (t *takeDown) String() string {
	return fmt.Sprintf("take down what is left of %s: %s", t.s.Name, t.what)
}

func (t *takeDown) Apply(ctx context.Context) error { return Down(ctx, t.host(), t.s.Name, nil) }
