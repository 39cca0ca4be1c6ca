"""heso gates, co-signs and proves every action an AI agent takes."""
