"""What all evidence and the black-box tests share: clients, waiting, load, reports, a browser."""
