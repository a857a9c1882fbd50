import harness

harness.skip("not written yet")
