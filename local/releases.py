WAYS=["canary","blue-green"]; STEPS={"canary":[],"blue-green":[]}; WEIGHT=20
